/**
 * How much memory the caches of an image may take. Each thread that serves the image has a metadata
 * cache of its own, so that threads need not wait for each other; decompressed clusters are kept in one
 * cache for all threads.
 *
 * @module
 */

/** Upper bounds of the caches of one image, in bytes. */
export interface CacheSizes {
  /** For metadata, in each thread. */
  readonly metadataCacheBytes: number;
  /** For decompressed clusters, of all threads. */
  readonly dataCacheBytes: number;
}

const MIB = 1024 * 1024;

/** After so long without traffic caches are emptied. */
export const DEFAULT_CLEAN_INTERVAL_SECONDS = 30;

/** For the first thread. 16 MiB hold the metadata of 128 GiB of disk where clusters have 64 KiB. */
export const DEFAULT_CACHES: CacheSizes = {
  metadataCacheBytes: 16 * MIB,
  dataCacheBytes: 8 * MIB,
};

/**
 * For each further thread. What a thread does not hold itself is mostly in the page cache, and takes a
 * few microseconds to read.
 */
const FURTHER_METADATA_CACHE_BYTES = 4 * MIB;

/** See {@link fewestPieces}: the top image, and the one below it, which often is the large one. */
const IMAGES_WITH_PIECES = 2;
const FEWEST_PIECES = 4;
/** What those may take together: there are pieces of many megabytes. */
const MAX_FEWEST_BYTES = 128 * MIB;
/** What the cache of any other image may take in any case. */
const LEAST_CACHE_BYTES = 256 * 1024;

/** How many pieces a cache is to hold, a power of two. */
export interface SlotLimits {
  readonly slotBytes: number;
  /** Upper bound of the memory, but for the fewest slots. */
  readonly cacheBytes: number;
  /** How many different pieces there are, which bounds it, too. */
  readonly pieces: number;
}

/** Slots of a cache within `limits`; at least `fewest`, unless there are fewer pieces. */
export function slotCount({ slotBytes, cacheBytes, pieces }: SlotLimits, fewest = 1): number {
  const wanted = Math.max(fewest, cacheBytes / slotBytes);
  if (wanted < 1) return 0;
  const affordable = 2 ** Math.floor(Math.log2(wanted));
  const enough = 2 ** Math.ceil(Math.log2(Math.max(1, pieces)));
  return Math.min(affordable, enough);
}

/** What a user can ask for, in bytes. */
export const MIN_CACHE_BYTES = 65536;
export const MAX_CACHE_BYTES: number = 1024 * MIB;

/** Caches of a thread that is not the first: as large as the user has asked for, else the default. */
export function cachesOfFurtherThread(
  asked: Partial<CacheSizes>,
): Pick<CacheSizes, "metadataCacheBytes"> {
  return { metadataCacheBytes: asked.metadataCacheBytes ?? FURTHER_METADATA_CACHE_BYTES };
}

/**
 * Caches of an image that lies `depth` images below the top one. The n-th image of a chain has 1/n² of
 * what the top image has, so that a chain of any length takes less than twice as much as that.
 */
export function cachesAtDepth(depth: number, asked: Partial<CacheSizes>): CacheSizes {
  const { metadataCacheBytes, dataCacheBytes } = { ...DEFAULT_CACHES, ...asked };
  const share = 1 / (depth + 1) ** 2;
  return {
    metadataCacheBytes: metadataCacheBytes * share,
    dataCacheBytes: dataCacheBytes * share,
  };
}

/**
 * How many decompressed pieces the cache of an image `depth` images below the top one holds at least,
 * however small its share. With fewer, threads that read in different places would keep replacing each
 * other's pieces. Only the first images of a chain have as many: there can be hundreds of images, and a
 * piece can have 2 MiB.
 */
export function fewestPieces(depth: number, pieceBytes: number): number {
  const mostBytes = depth < IMAGES_WITH_PIECES ? MAX_FEWEST_BYTES : LEAST_CACHE_BYTES;
  return Math.min(FEWEST_PIECES, Math.floor(mostBytes / pieceBytes));
}
