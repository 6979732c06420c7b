/**
 * QCOW files of version 1 put together byte by byte.
 *
 * @module
 */
import { HEADER, MAGIC, VERSION } from "../../../src/format/qcow1/layout.ts";
import { put } from "../qcow/image_builder.ts";

/** What differs from a valid, empty image of one L2 table and clusters of 4096 bytes. */
export interface Version1Parts {
  readonly header?: Partial<Record<keyof typeof HEADER.offsets, number | bigint>>;
  readonly l1?: readonly bigint[];
  readonly l2?: readonly bigint[];
  /** Bytes to put at places of the file. */
  readonly at?: readonly (readonly [hostOffset: number, bytes: Uint8Array])[];
}

const CLUSTER_BITS = 12;
const CLUSTER_BYTES = 2 ** CLUSTER_BITS;
const L2_BITS = 9;
const FILE_CLUSTERS = 8;
const L1_CLUSTER = 1;
const L2_CLUSTER = 2;

/** Header, L1 table, L2 table, then clusters whose bytes are their number, from 3 on. */
export function buildVersion1(parts: Version1Parts): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_CLUSTERS * CLUSTER_BYTES);
  const view = new DataView(bytes.buffer);
  for (let cluster = L2_CLUSTER + 1; cluster < FILE_CLUSTERS; cluster++) {
    bytes.fill(cluster, cluster * CLUSTER_BYTES, (cluster + 1) * CLUSTER_BYTES);
  }
  put(view, 0, HEADER, {
    magic: MAGIC,
    version: VERSION,
    size: CLUSTER_BYTES * 2 ** L2_BITS,
    cluster_bits: CLUSTER_BITS,
    l2_bits: L2_BITS,
    l1_table_offset: L1_CLUSTER * CLUSTER_BYTES,
    ...parts.header,
  });
  putTable(view, L1_CLUSTER, parts.l1 ?? [BigInt(L2_CLUSTER * CLUSTER_BYTES)]);
  putTable(view, L2_CLUSTER, parts.l2 ?? []);
  for (const [hostOffset, content] of parts.at ?? []) bytes.set(content, hostOffset);
  return bytes;
}

function putTable(view: DataView, cluster: number, entries: readonly bigint[]): void {
  entries.forEach((entry, index) =>
    view.setBigUint64(cluster * CLUSTER_BYTES + index * 8, BigInt.asUintN(64, entry))
  );
}
