/**
 * Small sparse images of Apple's, made byte by byte.
 *
 * @module
 */
import {
  HEADER,
  MAGIC,
  NODE,
  NODE_BYTES,
  SECTOR_BYTES,
  VERSION,
} from "../../../src/format/sparseimage/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bands of an image: of two sectors, unless its header says otherwise. */
export const BAND: number = 2 * SECTOR_BYTES;
export const BANDS = 3000;

export interface SparseimageParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** Which band of the disk each slot of each node has, the bytes of slot n being n + 1 modulo 251. */
  readonly nodes?: readonly (readonly (number | undefined)[])[];
  /** The disk ends so many sectors before its last band does. */
  readonly missingSectors?: number;
}

/** Where node number `node` is, each being full of slots. */
export function nodeOffset(node: number): number {
  const slots = (record: typeof HEADER | typeof NODE): number =>
    (NODE_BYTES - record.sizeBytes) / 4;
  if (node === 0) return 0;
  const before = slots(HEADER) + (node - 1) * slots(NODE);
  return node * NODE_BYTES + before * BAND;
}

/** An image whose bands are stored in these slots. */
export function buildSparseimage(
  { header = {}, nodes = [[]], missingSectors = 0 }: SparseimageParts = {},
): Bytes {
  const last = nodes.length - 1;
  const stored = (nodes[last] ?? []).length;
  const bytes = new Uint8Array(nodeOffset(last) + NODE_BYTES + stored * BAND);
  const view = new DataView(bytes.buffer);
  const sectors = BigInt(BANDS * BAND / SECTOR_BYTES - missingSectors);
  let slot = 0;
  for (const [number, bands] of nodes.entries()) {
    const at = nodeOffset(number);
    const nextNode = number < last ? BigInt(nodeOffset(number + 1)) : 0n;
    if (number > 0) NODE.write(view, at, { magic: MAGIC, number, flags: 1, nextNode });
    const start = at + (number === 0 ? HEADER : NODE).sizeBytes;
    for (const [index, band] of bands.entries()) {
      slot++;
      if (band === undefined) continue;
      view.setUint32(start + 4 * index, band + 1);
      const from = at + NODE_BYTES + index * BAND;
      bytes.fill(slot % 251, from, from + BAND);
    }
    slot += (at + NODE_BYTES - start) / 4 - bands.length;
  }
  HEADER.write(view, 0, {
    magic: MAGIC,
    version: VERSION,
    bandSectors: BAND / SECTOR_BYTES,
    flags: 1,
    lowSectors: Number(sectors),
    nextNode: last > 0 ? BigInt(nodeOffset(1)) : 0n,
    sectors,
    ...header,
  });
  return bytes;
}
