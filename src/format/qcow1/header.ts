/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { QCOW1 } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../sys/memory.ts";
import {
  HEADER,
  MAGIC,
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_L2_BITS,
  MIN_CLUSTER_BITS,
  MIN_L2_BITS,
  SECTOR_BYTES,
  TABLE_ENTRY_BYTES,
  VERSION,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly sizeBytes: number;
  /** Size of an L2 table. */
  readonly tableBytes: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
  /** A value of {@link CryptMethod}: none or aes. */
  readonly cryptMethod: number;
  /** Name of the backing file; its format is not recorded in this version. */
  readonly backingName: string | undefined;
  /** Where that is in the file. */
  readonly backingPlace: NamePlace | undefined;
}

/** A part of the file that holds a name. */
export interface NamePlace {
  readonly hostOffset: number;
  readonly lengthBytes: number;
}

type Fields = ReturnType<typeof HEADER.read>;

const MAX_CRYPT_METHOD = 1;

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header of version 1
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const fields = readFields(file);
  const sizeBytes = servedSize(diskSize(fields), QCOW1.name, file.path);
  const tableCovers = 2 ** (fields.cluster_bits + fields.l2_bits);
  const l1Entries = Math.ceil(Number(fields.size) / tableCovers);
  return {
    clusterBits: fields.cluster_bits,
    clusterBytes: 2 ** fields.cluster_bits,
    sizeBytes,
    tableBytes: 2 ** fields.l2_bits * TABLE_ENTRY_BYTES,
    l1Offset: checkedL1Offset(fields, l1Entries, file),
    l1Entries,
    cryptMethod: fields.crypt_method,
    backingName: readBackingName(fields, file),
    backingPlace: backingPlaceOf(fields, file),
  };
}

/** Size of the disk: whole sectors, as qemu counts it. */
export function diskSize({ size }: Fields): bigint {
  return size - size % BigInt(SECTOR_BYTES);
}

/** The header's fields, each of which is checked by itself; throws as {@link readHeader}. */
export function readFields(file: ImageFile): Fields {
  if (file.sizeBytes < HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  if (fields.magic !== MAGIC) throw damaged(file.path, "this is no QCOW image");
  if (fields.version !== VERSION) {
    throw new UnsupportedFeatureError(QCOW1.name, file.path, `version ${fields.version}`);
  }
  checkFields(fields, file.path);
  return fields;
}

function checkFields(fields: Fields, path: string): void {
  const { cluster_bits, crypt_method, l2_bits, size } = fields;
  if (size <= 1n) throw damaged(path, "the disk is empty", "size");
  if (cluster_bits < MIN_CLUSTER_BITS || cluster_bits > MAX_CLUSTER_BITS) {
    throw damaged(path, `clusters of 2^${cluster_bits} bytes are not possible`, "cluster_bits");
  }
  if (l2_bits < MIN_L2_BITS || l2_bits > MAX_L2_BITS) {
    throw damaged(path, `L2 tables of 2^${l2_bits} entries are not possible`, "l2_bits");
  }
  if (crypt_method > MAX_CRYPT_METHOD) {
    throw damaged(path, `encryption method ${crypt_method} is not possible`, "crypt_method");
  }
}

function checkedL1Offset(fields: Fields, l1Entries: number, file: ImageFile): number {
  const tableBytes = l1Entries * TABLE_ENTRY_BYTES;
  if (tableBytes > MAX_L1_BYTES) throw damaged(file.path, "L1 table too large", "size");
  if (fields.l1_table_offset + BigInt(tableBytes) > BigInt(file.sizeBytes)) {
    throw damaged(file.path, "the L1 table lies outside the file", "l1_table_offset");
  }
  return Number(fields.l1_table_offset);
}

/** An empty name counts as none. */
export function readBackingName(fields: Fields, file: ImageFile): string | undefined {
  const place = backingPlaceOf(fields, file);
  if (place === undefined) return undefined;
  const name = new IoBuffer(place.lengthBytes);
  file.read(name, 0, place.hostOffset, place.lengthBytes);
  return textOf(name.bytes) || undefined;
}

function backingPlaceOf(fields: Fields, file: ImageFile): NamePlace | undefined {
  const { backing_file_offset: offset, backing_file_size: lengthBytes } = fields;
  if (offset === 0n || lengthBytes === 0) return undefined;
  if (lengthBytes > MAX_BACKING_NAME_BYTES) {
    throw damaged(file.path, "the backing file name is too long", "backing_file_size");
  }
  if (offset + BigInt(lengthBytes) > BigInt(file.sizeBytes)) {
    throw damaged(file.path, "the backing file name lies outside the file", "backing_file_offset");
  }
  return { hostOffset: Number(offset), lengthBytes };
}

function damaged(
  path: string,
  message: string,
  field?: keyof typeof HEADER.offsets,
): ImageFormatError {
  const hostOffset = field === undefined ? undefined : HEADER.offsets[field];
  return new ImageFormatError(QCOW1.name, path, message, hostOffset);
}
