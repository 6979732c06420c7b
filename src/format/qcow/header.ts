/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { servedSize } from "../../image/exact.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { damaged, FORMAT, hex, unsupported } from "./errors.ts";
import { type ExtensionArea, type HeaderExtensions, readExtensions } from "./extensions.ts";
import { refuseUnsupported } from "./features.ts";
import type { Fields, FieldsV3, Header, Refcounts, SnapshotTable, Source } from "./header_types.ts";
import {
  CompressionType,
  EXTENDED_ENTRY_BITS,
  HEADER,
  HEADER_ADDITIONAL,
  HEADER_V3,
  HEADER_V3_BYTES,
  Incompatible,
  MAGIC,
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_REFCOUNT_ORDER,
  MAX_REFCOUNT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  MIN_CLUSTER_BITS,
  MIN_EXTENDED_CLUSTER_BITS,
  SECTOR_BYTES,
  TABLE_ENTRY_BITS,
  TABLE_ENTRY_BYTES,
} from "./layout.ts";
import { recordedNames } from "./names.ts";

/** The system's offsets are signed: this would be negative. */
const END_OF_OFFSETS = 2n ** 63n;

/** What version 2, which has no such fields, amounts to (specification, "Header"). */
const VERSION_2: FieldsV3 = {
  incompatible_features: 0n,
  compatible_features: 0n,
  autoclear_features: 0n,
  refcount_order: 4,
  header_length: HEADER.sizeBytes,
  compression_type: CompressionType.zlib,
};

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header of a QCOW2 image
 * @throws {UnsupportedFeatureError} if the image needs something this driver does not have
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  return parseHeader(readSource(file));
}

/** Reads as much of the file as describes the image; throws as {@link readHeader}. */
export function readSource(file: ImageFile): Source {
  const { path, sizeBytes } = file;
  const fixed = readHead(file, HEADER.sizeBytes);
  const { cluster_bits } = parseFields({ head: fixed, path, sizeBytes });
  const head = readHead(file, 2 ** Math.min(cluster_bits, MAX_CLUSTER_BITS));
  return { head, path, sizeBytes };
}

function readHead(file: ImageFile, lengthBytes: number): IoBuffer {
  const head = new IoBuffer(Math.max(lengthBytes, HEADER_V3_BYTES));
  file.read(head, 0, 0, head.size);
  return head;
}

/** As {@link readHeader}, from bytes that have been read. */
export function parseHeader(source: Source): Header {
  const { fields, more } = parseAllFields(source);
  const clusterBits = fields.cluster_bits;
  const extendedL2 = (more.incompatible_features & Incompatible.extendedL2) !== 0n;
  const l2EntryBits = extendedL2 ? EXTENDED_ENTRY_BITS : TABLE_ENTRY_BITS;
  checkBackingName(fields, source.path);
  const area = extensionArea(fields, more, source);
  const found = checkFeatures(fields, more, area);
  if (extendedL2 && clusterBits < MIN_EXTENDED_CLUSTER_BITS) {
    throw damaged(source.path, `clusters of 2^${clusterBits} bytes cannot have subclusters`);
  }
  checkUnusedTables(fields, more, source.path);
  return {
    version: fields.version === 2 ? 2 : 3,
    clusterBits,
    clusterBytes: 2 ** clusterBits,
    sizeBytes: servedSize(diskSize(fields), FORMAT, source.path),
    l1Offset: checkedL1Offset(fields, source),
    l1Entries: checkedL1Entries(fields, l2EntryBits, source.path),
    l1AllEntries: fields.l1_size,
    compressionType: more.compression_type,
    cryptMethod: fields.crypt_method,
    extendedL2,
    l2EntryBits,
    refcounts: refcountsOf(fields, more),
    snapshots: snapshotTable(fields),
    corrupt: (more.incompatible_features & Incompatible.corrupt) !== 0n,
    dirty: (more.incompatible_features & Incompatible.dirty) !== 0n,
    incompatible: more.incompatible_features,
    autoclear: more.autoclear_features,
    extensions: found,
    ...recordedNames(fields, more, { source, extensions: found }),
  };
}

/** The fields of both versions; throws as {@link readHeader}, but looks at no feature. */
export function parseAllFields(source: Source): { fields: Fields; more: FieldsV3 } {
  const fields = parseFields(source);
  const clusterBits = checkedClusterBits(fields, source.path);
  const more = fields.version === 2 ? VERSION_2 : parseFieldsV3(source, 2 ** clusterBits);
  return { fields, more };
}

function parseFields(source: Source): Fields {
  const { head, path, sizeBytes } = source;
  if (sizeBytes < HEADER.sizeBytes) throw damaged(path, "the file is too short for a header");
  const fields = HEADER.read(head.view, 0);
  if (fields.magic !== MAGIC) throw damaged(path, "this is no QCOW image");
  if (fields.version === 2 || fields.version === 3) return fields;
  throw unsupported(path, `version ${fields.version}`);
}

function checkedClusterBits(fields: Fields, path: string): number {
  const bits = fields.cluster_bits;
  if (bits >= MIN_CLUSTER_BITS && bits <= MAX_CLUSTER_BITS) return bits;
  throw damaged(path, `clusters of 2^${bits} bytes are not possible`, HEADER.offsets.cluster_bits);
}

function parseFieldsV3(source: Source, clusterBytes: number): FieldsV3 {
  const { head, path, sizeBytes } = source;
  if (sizeBytes < HEADER_V3_BYTES) throw damaged(path, "the file is too short for a header");
  const fields = HEADER_V3.read(head.view, HEADER.sizeBytes);
  const { header_length } = fields;
  // That it has to be a multiple of 8 matters to nobody who reads; qemu does not look, either.
  if (header_length < HEADER_V3_BYTES || header_length > clusterBytes) {
    const offset = HEADER.sizeBytes + HEADER_V3.offsets.header_length;
    throw damaged(path, `a header of ${header_length} bytes is not possible`, offset);
  }
  if (header_length < HEADER_V3_BYTES + HEADER_ADDITIONAL.sizeBytes) {
    return { ...fields, compression_type: CompressionType.zlib };
  }
  return { ...fields, ...HEADER_ADDITIONAL.read(head.view, HEADER_V3_BYTES) };
}

/** Returns what the header extensions say, each of which is checked on the way. */
function checkFeatures(fields: Fields, more: FieldsV3, area: ExtensionArea): HeaderExtensions {
  refuseUnsupported({
    incompatible: more.incompatible_features,
    autoclear: more.autoclear_features,
    compressionType: more.compression_type,
    cryptMethod: fields.crypt_method,
  }, area);
  return readExtensions(area);
}

export function checkBackingName(fields: Fields, path: string): void {
  const { backing_file_offset: offset, backing_file_size: lengthBytes } = fields;
  if (offset === 0n) return;
  const room = 2n ** BigInt(fields.cluster_bits) - offset;
  if (room < 0n) throw damaged(path, "the backing file name lies outside the first cluster");
  if (lengthBytes > MAX_BACKING_NAME_BYTES || BigInt(lengthBytes) > room) {
    throw damaged(path, "the backing file name is too long");
  }
}

export function extensionArea(fields: Fields, more: FieldsV3, source: Source): ExtensionArea {
  const nameOffset = Number(fields.backing_file_offset);
  const end = nameOffset === 0 ? 2 ** fields.cluster_bits : nameOffset;
  return { bytes: source.head.bytes, start: more.header_length, end, path: source.path };
}

/** Tables that reading the active disk does not need, but without which qemu would not open the image, either. */
export function checkUnusedTables(fields: Fields, more: FieldsV3, path: string): void {
  if (more.refcount_order > MAX_REFCOUNT_ORDER) {
    throw damaged(path, `reference counts of 2^${more.refcount_order} bits are not possible`);
  }
  if (fields.refcount_table_clusters === 0) throw damaged(path, "there is no refcount table");
  const refcountBytes = fields.refcount_table_clusters * 2 ** fields.cluster_bits;
  if (refcountBytes > MAX_REFCOUNT_TABLE_BYTES) throw damaged(path, "refcount table too large");
  checkPlace(fields, "refcount_table_offset", path);
  if (fields.nb_snapshots > MAX_SNAPSHOTS) throw damaged(path, "snapshot table too large");
  if (fields.nb_snapshots > 0) checkPlace(fields, "snapshots_offset", path);
}

/** Where the reference counts are, checked by {@link checkUnusedTables} already. */
function refcountsOf(fields: Fields, { refcount_order }: FieldsV3): Refcounts {
  const tableBytes = fields.refcount_table_clusters * 2 ** fields.cluster_bits;
  return {
    tableOffset: Number(fields.refcount_table_offset),
    tableEntries: tableBytes / TABLE_ENTRY_BYTES,
    order: refcount_order,
  };
}

/** Where the snapshots are, checked by {@link checkUnusedTables} already. */
export function snapshotTable(fields: Fields): SnapshotTable {
  const { snapshots_offset, nb_snapshots } = fields;
  return { offset: nb_snapshots === 0 ? 0 : Number(snapshots_offset), entries: nb_snapshots };
}

/** As qemu's `qcow2_validate_table`: aligned, and an offset that calls of the system can take. */
function checkPlace(
  fields: Fields,
  name: "refcount_table_offset" | "snapshots_offset" | "l1_table_offset",
  path: string,
): void {
  const offset = fields[name];
  const fault = (text: string): Error =>
    damaged(path, `${name} ${hex(offset)} ${text}`, HEADER.offsets[name]);
  if (offset % 2n ** BigInt(fields.cluster_bits) !== 0n) throw fault("is not aligned");
  if (offset >= END_OF_OFFSETS) throw fault("is not in any file");
}

/** Size of the disk: whole sectors. */
export function diskSize({ size }: Fields): bigint {
  return size - size % BigInt(SECTOR_BYTES);
}

function checkedL1Offset(fields: Fields, source: Source): number {
  const tableBytes = fields.l1_size * TABLE_ENTRY_BYTES;
  if (tableBytes > MAX_L1_BYTES) throw damaged(source.path, "L1 table too large");
  checkPlace(fields, "l1_table_offset", source.path);
  if (fields.l1_table_offset + BigInt(tableBytes) > BigInt(source.sizeBytes)) {
    const offset = HEADER.offsets.l1_table_offset;
    throw damaged(source.path, "the L1 table lies outside the file", offset);
  }
  return Number(fields.l1_table_offset);
}

function checkedL1Entries(fields: Fields, l2EntryBits: number, path: string): number {
  const entryCoversBits = BigInt(2 * fields.cluster_bits - l2EntryBits);
  const needed = (fields.size + (1n << entryCoversBits) - 1n) >> entryCoversBits;
  if (needed > BigInt(fields.l1_size)) {
    throw damaged(path, "the L1 table is too small for the disk", HEADER.offsets.l1_size);
  }
  return Number(needed);
}
