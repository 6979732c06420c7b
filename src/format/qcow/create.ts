/**
 * New images: version 3, with nothing in them, over a backing file. They lie on the disk as those of
 * `qemu-img create` do:
 *
 *     cluster 0       1                2                 3 ...
 *     +------------+ +--------------+ +---------------+ +------------------------+
 *     | header,    | | refcount     | | refcount      | | L1 table, as long as   |
 *     | extensions,| | table        | | block: all of | | the disk needs: all of |
 *     | name       | |              | | these are used| | it is 0                |
 *     +------------+ +--------------+ +---------------+ +------------------------+
 *
 * @module
 */
import { servedSize } from "../../image/exact.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { featureNames } from "./feature_names.ts";
import {
  CryptMethod,
  EXTENDED_ENTRY_BITS,
  EXTENSION,
  EXTENSION_ALIGNMENT_BYTES,
  ExtensionType,
  HEADER,
  HEADER_V3,
  HEADER_V3_BYTES,
  Incompatible,
  MAGIC,
  MAX_BACKING_NAME_BYTES,
  MAX_FORMAT_NAME_BYTES,
  MAX_L1_BYTES,
  SECTOR_BYTES,
  TABLE_ENTRY_BITS,
  TABLE_ENTRY_BYTES,
} from "./layout.ts";

/** qemu's default. */
const DEFAULT_CLUSTER_BITS = 16;
/** Counts have 16 bits, as qemu's. */
const REFCOUNT_ORDER = 4;
/** That of qemu: with the compression type, and padded. */
const HEADER_BYTES: number = HEADER_V3_BYTES + 8;

/** What a new image is to be. */
export interface NewImage {
  /** Size of the disk; rounded up to whole sectors, as by qemu. */
  readonly sizeBytes: number;
  /** What shows until something is written: its name, and its format by qemu's name. */
  readonly backing?: { readonly name: string; readonly format: string };
  /** Cluster size, as a power of two: {@link DEFAULT_CLUSTER_BITS} unless given. */
  readonly clusterBits?: number;
  /** Whether clusters have subclusters; by default they have none. */
  readonly extendedL2?: boolean;
}

/**
 * Makes an empty `file` such an image. Nothing is synced.
 *
 * @throws {RangeError} if no image can be like that
 * @throws {SystemError} if the file cannot be written
 */
export function createQcow(file: ImageFile, image: NewImage): void {
  const plan = planOf(image, file.path);
  const { clusterBytes, l1Clusters } = plan;
  const used = FIRST_L1_CLUSTER + l1Clusters;
  const head = new IoBuffer(clusterBytes);
  const headBytes = writeHead(head, image, plan);
  file.setSize(used * clusterBytes);
  file.write(head, 0, 0, headBytes);
  head.bytes.fill(0);
  head.view.setBigUint64(0, BigInt(BLOCK_CLUSTER * clusterBytes));
  file.write(head, 0, TABLE_CLUSTER * clusterBytes, TABLE_ENTRY_BYTES);
  for (let cluster = 0; cluster < used; cluster++) head.view.setUint16(cluster * 2, 1);
  file.write(head, 0, BLOCK_CLUSTER * clusterBytes, used * 2);
}

const TABLE_CLUSTER = 1;
const BLOCK_CLUSTER = 2;
const FIRST_L1_CLUSTER = 3;

interface Plan {
  readonly sizeBytes: number;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly l1Entries: number;
  readonly l1Clusters: number;
}

function planOf(
  { sizeBytes: wanted, clusterBits = DEFAULT_CLUSTER_BITS, extendedL2 = false }: NewImage,
  path: string,
): Plan {
  const sizeBytes = Math.ceil(wanted / SECTOR_BYTES) * SECTOR_BYTES;
  servedSize(BigInt(sizeBytes), "QCOW", path);
  const clusterBytes = 2 ** clusterBits;
  const l1Entries = Math.ceil(sizeBytes / tableCoversBytes(clusterBits, extendedL2));
  const l1Bytes = l1Entries * TABLE_ENTRY_BYTES;
  if (l1Bytes > MAX_L1_BYTES) {
    throw new RangeError(
      `a disk of ${sizeBytes} bytes is too large for clusters of ${clusterBytes} bytes`,
    );
  }
  const l1Clusters = Math.ceil(l1Bytes / clusterBytes);
  if ((FIRST_L1_CLUSTER + l1Clusters) * 2 > clusterBytes) {
    throw new RangeError(`clusters of ${clusterBytes} bytes are too small for new images`);
  }
  return { sizeBytes, clusterBits, clusterBytes, l1Entries, l1Clusters };
}

/** How much of a disk one L2 table describes. */
function tableCoversBytes(clusterBits: number, extendedL2: boolean): number {
  const entryBits = extendedL2 ? EXTENDED_ENTRY_BITS : TABLE_ENTRY_BITS;
  return 2 ** (2 * clusterBits - entryBits);
}

/** @returns how many bytes of the first cluster are not just zeros */
function writeHead({ view, bytes }: IoBuffer, image: NewImage, plan: Plan): number {
  const { backing, extendedL2 = false } = image;
  const format = backing === undefined ? undefined : named(backing.format, MAX_FORMAT_NAME_BYTES);
  const name = backing === undefined ? undefined : named(backing.name, MAX_BACKING_NAME_BYTES);
  let at = HEADER_BYTES;
  const extend = (type: number, data: Uint8Array): void => {
    EXTENSION.write(view, at, { type, length: data.length });
    bytes.set(data, at + EXTENSION.sizeBytes);
    const padded = Math.ceil(data.length / EXTENSION_ALIGNMENT_BYTES) * EXTENSION_ALIGNMENT_BYTES;
    at += EXTENSION.sizeBytes + padded;
  };
  if (format !== undefined) extend(ExtensionType.backingFormat, format);
  extend(ExtensionType.featureNameTable, featureNames());
  extend(ExtensionType.end, new Uint8Array(0));
  if (name !== undefined) bytes.set(name, at);
  writeFields(view, plan, { at, lengthBytes: name?.length ?? 0 });
  HEADER_V3.write(view, HEADER.sizeBytes, {
    incompatible_features: extendedL2 ? Incompatible.extendedL2 : 0n,
    refcount_order: REFCOUNT_ORDER,
    header_length: HEADER_BYTES,
  });
  return at + (name?.length ?? 0);
}

function writeFields(
  view: DataView,
  { sizeBytes, clusterBits, clusterBytes, l1Entries }: Plan,
  name: { readonly at: number; readonly lengthBytes: number },
): void {
  HEADER.write(view, 0, {
    magic: MAGIC,
    version: 3,
    backing_file_offset: BigInt(name.lengthBytes === 0 ? 0 : name.at),
    backing_file_size: name.lengthBytes,
    cluster_bits: clusterBits,
    size: BigInt(sizeBytes),
    crypt_method: CryptMethod.none,
    l1_size: l1Entries,
    l1_table_offset: BigInt(FIRST_L1_CLUSTER * clusterBytes),
    refcount_table_offset: BigInt(TABLE_CLUSTER * clusterBytes),
    refcount_table_clusters: 1,
  });
}

function named(name: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length <= maxBytes) return bytes;
  throw new RangeError(`the name '${name}' is too long to be recorded`);
}
