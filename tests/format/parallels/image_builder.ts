/**
 * Small Parallels images, made byte by byte.
 *
 * @module
 */
import {
  EXTENSION,
  EXTENSION_MAGIC,
  FEATURE,
  HEADER,
  MAGICS,
} from "../../../src/format/parallels/layout.ts";

export interface ParallelsParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** Sectors of a cluster; 8 if left out. */
  readonly tracks?: number;
  /** Whether entries count sectors, as in the older images. */
  readonly isOld?: boolean;
  /** Which stored cluster each cluster of the disk has; undefined for none. */
  readonly bat?: readonly (number | undefined)[];
  /** How many clusters are stored: number n has bytes of n + 1. */
  readonly stored?: number;
  /** What an extension behind them has. */
  readonly features?: readonly Parameters<typeof FEATURE.write>[2][];
}

/** Where the data begin: in older images behind the sector of the BAT, in newer ones with the first cluster. */
export function dataStart({ tracks = 8, isOld = false }: ParallelsParts): number {
  return (isOld ? 3 : tracks) * 512;
}

/** What the BAT has for stored cluster number `n`. */
export function entryOf(n: number, parts: ParallelsParts): number {
  const { tracks = 8, isOld = false } = parts;
  return isOld ? dataStart(parts) / 512 + n * tracks : 1 + n;
}

/** An image of sixteen clusters, or as many as its BAT has. */
export function buildParallels(parts: ParallelsParts = {}): Uint8Array<ArrayBuffer> {
  const { header = {}, tracks = 8, isOld = false, bat = [], stored = 4, features } = parts;
  const cluster = tracks * 512;
  const start = dataStart(parts);
  const end = start + stored * cluster;
  const entries = Math.max(16, bat.length);
  const bytes = new Uint8Array(end + (features === undefined ? 0 : cluster));
  const view = new DataView(bytes.buffer);
  HEADER.write(view, 0, {
    magic: isOld ? MAGICS.sectors.slice() : MAGICS.clusters.slice(),
    version: 2,
    heads: 16,
    cylinders: 4,
    tracks,
    bat_entries: entries,
    nb_sectors: BigInt(entries * tracks),
    data_off: start / 512,
    ext_off: features === undefined ? 0n : BigInt(end / 512),
    ...header,
  });
  for (const [index, n] of bat.entries()) {
    view.setUint32(64 + 4 * index, n === undefined ? 0 : entryOf(n, parts), true);
  }
  for (let n = 0; n < stored; n++) {
    bytes.fill(n + 1, start + n * cluster, start + (n + 1) * cluster);
  }
  if (features === undefined) return bytes;
  EXTENSION.write(view, end, { magic: EXTENSION_MAGIC });
  for (const [index, feature] of features.entries()) {
    FEATURE.write(view, end + EXTENSION.sizeBytes + index * FEATURE.sizeBytes, feature);
  }
  return bytes;
}
