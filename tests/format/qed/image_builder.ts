/**
 * Small QED images, made byte by byte.
 *
 * @module
 */
import { Feature, HEADER, MAGIC } from "../../../src/format/qed/layout.ts";

/** Bytes of a cluster, of the smallest size there is; a table has one, and so has the header. */
export const CLUSTER = 4096;
/** Entries of a table. */
export const ENTRIES: number = CLUSTER / 8;
export const L1: number = CLUSTER;
/** Where the first L2 table is, and the first cluster of the disk. */
export const L2: number = 2 * CLUSTER;
export const DATA: number = 3 * CLUSTER;

export interface QedParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  readonly l1?: readonly bigint[];
  /** Entries of the first L2 table. */
  readonly l2?: readonly bigint[];
  /** How many clusters lie behind the tables: number n has bytes of n + 1. */
  readonly stored?: number;
  /** Name of the backing file, which is raw. */
  readonly backing?: string;
}

/** Where stored cluster number `n` is. */
export function place(n: number): bigint {
  return BigInt(DATA + n * CLUSTER);
}

/** An image of sixteen clusters; without an L2 table, it ends behind the L1 table. */
export function buildQed(parts: QedParts = {}): Uint8Array<ArrayBuffer> {
  const { header = {}, l1 = [BigInt(L2)], l2 = [], stored = 4, backing } = parts;
  const hasTable = stored > 0 || l1.some((entry) => entry !== 0n);
  const bytes = new Uint8Array(hasTable ? DATA + stored * CLUSTER : L2);
  const view = new DataView(bytes.buffer);
  const name = new TextEncoder().encode(backing ?? "");
  bytes.set(name, HEADER.sizeBytes);
  HEADER.write(view, 0, {
    magic: MAGIC,
    cluster_size: CLUSTER,
    table_size: 1,
    header_size: 1,
    features: backing === undefined ? 0n : Feature.backingFile | Feature.backingFormatNoProbe,
    l1_table_offset: BigInt(L1),
    image_size: BigInt(16 * CLUSTER),
    backing_filename_offset: backing === undefined ? 0 : HEADER.sizeBytes,
    backing_filename_size: name.length,
    ...header,
  });
  for (const [index, entry] of l1.entries()) view.setBigUint64(L1 + 8 * index, entry, true);
  for (const [index, entry] of l2.entries()) view.setBigUint64(L2 + 8 * index, entry, true);
  for (let n = 0; n < stored; n++) {
    bytes.fill(n + 1, DATA + n * CLUSTER, DATA + (n + 1) * CLUSTER);
  }
  return bytes;
}
