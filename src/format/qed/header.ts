/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { QED } from "../../image/formats.ts";
import type { BackingInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../sys/memory.ts";
import { damaged as damagedAt } from "./errors.ts";
import {
  Feature,
  HEADER,
  KNOWN_FEATURES,
  MAGIC,
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BYTES,
  MAX_TABLE_CLUSTERS,
  MIN_CLUSTER_BYTES,
  SECTOR_BYTES,
  TABLE_ENTRY_BYTES,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly clusterBytes: number;
  readonly sizeBytes: number;
  /** Size of a table: of the L1 table, too, which may have more entries than the disk needs. */
  readonly tableBytes: number;
  /** Size of the header and what belongs to it. */
  readonly headBytes: number;
  readonly l1Offset: number;
  /** Entries that the disk needs. */
  readonly l1Entries: number;
  readonly features: bigint;
  readonly autoclearFeatures: bigint;
  readonly backing: BackingInfo | undefined;
}

type Fields = ReturnType<typeof HEADER.read>;

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it has features that are not known
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const fields = readFields(file);
  const clusterBytes = fields.cluster_size;
  const tableBytes = fields.table_size * clusterBytes;
  const sizeBytes = checkedSize(fields, file.path);
  return {
    clusterBytes,
    sizeBytes,
    tableBytes,
    headBytes: fields.header_size * clusterBytes,
    l1Offset: checkedL1Offset(fields, file),
    l1Entries: Math.ceil(sizeBytes / coveredBytes({ tableBytes, clusterBytes })),
    features: fields.features,
    autoclearFeatures: fields.autoclear_features,
    backing: readBacking(fields, file),
  };
}

/** Guest bytes that one L2 table describes. */
export function coveredBytes(
  { tableBytes, clusterBytes }: Pick<Header, "tableBytes" | "clusterBytes">,
): number {
  return tableBytes / TABLE_ENTRY_BYTES * clusterBytes;
}

/** The header's fields, each of which is checked by itself; throws as {@link readHeader}. */
export function readFields(file: ImageFile): Fields {
  if (file.sizeBytes < HEADER.sizeBytes) {
    throw damagedAt(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  if (fields.magic !== MAGIC) throw damagedAt(file.path, "this is no QED image");
  const unknown = fields.features & ~KNOWN_FEATURES;
  if (unknown !== 0n) {
    throw new UnsupportedFeatureError(QED.name, file.path, `features 0x${unknown.toString(16)}`);
  }
  checkSizes(fields, file.path);
  return fields;
}

function checkSizes({ cluster_size, table_size, header_size }: Fields, path: string): void {
  const isClusterSize = isPowerOfTwo(cluster_size) && cluster_size >= MIN_CLUSTER_BYTES &&
    cluster_size <= MAX_CLUSTER_BYTES;
  if (!isClusterSize) {
    throw damaged(path, `clusters of ${cluster_size} bytes are not possible`, "cluster_size");
  }
  if (!isPowerOfTwo(table_size) || table_size > MAX_TABLE_CLUSTERS) {
    throw damaged(path, `tables of ${table_size} clusters are not possible`, "table_size");
  }
  if (header_size === 0) throw damaged(path, "the header has no size", "header_size");
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function checkedSize(fields: Fields, path: string): number {
  const { cluster_size, table_size, image_size } = fields;
  const entries = BigInt(table_size * cluster_size / TABLE_ENTRY_BYTES);
  if (image_size > entries * entries * BigInt(cluster_size)) {
    throw damaged(path, "the tables are too small for the disk", "image_size");
  }
  if (image_size % BigInt(SECTOR_BYTES) !== 0n) {
    throw damaged(path, "the disk ends within a sector", "image_size");
  }
  return servedSize(image_size, QED.name, path);
}

function checkedL1Offset(fields: Fields, file: ImageFile): number {
  const { cluster_size, table_size, header_size, l1_table_offset: offset } = fields;
  const cluster = BigInt(cluster_size);
  const isBehindHeader = offset % cluster === 0n && offset >= BigInt(header_size) * cluster;
  const end = offset + BigInt(table_size) * cluster;
  if (isBehindHeader && end <= BigInt(wholeClusters(file.sizeBytes, cluster_size))) {
    return Number(offset);
  }
  throw damaged(file.path, "the L1 table cannot be where it is said to be", "l1_table_offset");
}

/** What counts of a file: a part of a cluster at its end is ignored. */
export function wholeClusters(fileBytes: number, clusterBytes: number): number {
  return fileBytes - fileBytes % clusterBytes;
}

/** The image below; an empty name counts as none. */
export function readBacking(fields: Fields, file: ImageFile): BackingInfo | undefined {
  if ((fields.features & Feature.backingFile) === 0n) return undefined;
  const { backing_filename_offset: offset, backing_filename_size: lengthBytes } = fields;
  if (lengthBytes > MAX_BACKING_NAME_BYTES) {
    throw damaged(file.path, "the backing file name is too long", "backing_filename_size");
  }
  const end = offset + lengthBytes;
  if (end > fields.header_size * fields.cluster_size || end > file.sizeBytes) {
    throw damaged(
      file.path,
      "the backing file name is not in the header",
      "backing_filename_offset",
    );
  }
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, offset, lengthBytes);
  const name = textOf(buffer.bytes);
  if (name === "") return undefined;
  const isRaw = (fields.features & Feature.backingFormatNoProbe) !== 0n;
  return { name, format: isRaw ? "raw" : undefined };
}

function damaged(path: string, message: string, field: keyof typeof HEADER.offsets): Error {
  return damagedAt(path, message, HEADER.offsets[field]);
}
