/**
 * How a disk can be shown as a file in chunks: how large chunks and blocks are, and where each chunk is
 * taken from.
 *
 * @module
 */
import { ChunkSource, type ChunkVisitor, ChunkWalker } from "./chunk_walker.ts";
import { distinctStarts, type StartQuestion } from "./file_starts.ts";
import { CHUNK_ENTRY, MAX_BLOCK_BITS, MIN_BLOCK_BITS } from "./layout.ts";
import { RunKind, type RunList } from "./run_list.ts";

/** Smaller chunks only make more entries: pages are what the kernel reads. */
export const MIN_CHUNK_BITS = 12;
export const MAX_CHUNK_BITS = 21;
/** How much dearer a copied byte is than one of an entry: it is in memory twice then. */
const COPY_WEIGHT = 16;
/** Copied at most, of what lies awkwardly: the last blocks of files, mostly. */
export const MAX_COPIED_BYTES = 8 * 1024 * 1024;

/**
 * Metadata that are kept in memory at most: those of 1 TiB in scattered clusters of 64 KiB, which take
 * half a second to make, and twice the memory of a daemon.
 */
export const MAX_METADATA_BYTES = 128 * 1024 * 1024;
export const MAX_CHUNKS = MAX_METADATA_BYTES / CHUNK_ENTRY.size;
/** No larger disk can be shown, whatever it consists of. */
export const MAX_VIEW_BYTES = MAX_CHUNKS * 2 ** MAX_CHUNK_BITS;

export interface ViewPlan {
  readonly sizeBytes: number;
  readonly blockBits: number;
  readonly chunkBits: number;
  readonly chunks: number;
  /** Chunks that have to be copied, in their order. */
  readonly copies: readonly number[];
  /** How many chunks are the server's, and how many lie plainly in files. */
  readonly serverChunks: number;
  readonly plainChunks: number;
  /** Where in the files their devices begin, in bytes. */
  readonly fileStarts: readonly number[];
  /** As {@link copiesFrom}, if devices can be told apart by numbers. */
  readonly copiesUnitBytes: number | undefined;
  /** Calls `visit` for each chunk that is no hole, in their order. */
  forEachChunk(visit: ChunkVisitor): void;
}

/** What {@link planView} has to know besides the runs. */
export interface PlanQuestions {
  readonly sizeBytes: number;
  /** Of the list's files, in bytes. */
  readonly fileSizes: readonly number[];
  /** Which of these are devices themselves. */
  readonly areFixed?: readonly boolean[];
}

/**
 * Plans a view.
 *
 * @throws {RangeError} if there would be too many chunks
 */
export function planView(
  runs: RunList,
  { sizeBytes, fileSizes, areFixed = [] }: PlanQuestions,
): ViewPlan {
  const blockBits = commonBlockBits(runs);
  const chunkBits = cheapestChunkBits(runs, sizeBytes);
  const chunks = Math.ceil(sizeBytes / 2 ** chunkBits);
  if (chunks > MAX_CHUNKS) throw new RangeError("the disk has too many clusters for a view");
  const unitBytes = commonUnitBytes(runs, chunkBits);
  const starts = distinctStarts(startQuestions(runs, { fileSizes, areFixed }), unitBytes);
  const fileStarts = starts ?? fileSizes.map(() => 0);
  const files = { fileSizes, fileStarts, hostUnitBytes: 2 ** blockBits };
  const walker = new ChunkWalker(runs, { sizeBytes, blockBits, chunkBits, ...files });
  const copies: number[] = [];
  const chunkBytes = 2 ** chunkBits;
  let serverChunks = 0;
  let plainChunks = 0;
  walker.forEachChunk((chunk, source) => {
    if (source >= 0) plainChunks++;
    else if (source === ChunkSource.Server) serverChunks++;
    else copies.push(chunk);
  });
  const areTooMany = copies.length * chunkBytes > MAX_COPIED_BYTES;
  if (areTooMany) {
    walker.copiesAreServed = true;
    serverChunks += copies.length;
  }
  return {
    sizeBytes,
    blockBits,
    chunkBits,
    chunks,
    copies: areTooMany ? [] : copies,
    serverChunks,
    plainChunks,
    fileStarts,
    copiesUnitBytes: starts === undefined ? undefined : unitBytes,
    forEachChunk: (visit) => walker.forEachChunk(visit),
  };
}

/** Chunks of files begin at multiples of this in their files: a power of two. */
function commonUnitBytes(runs: RunList, chunkBits: number): number {
  let bits = chunkBits;
  for (let run = 0; run < runs.length; run++) {
    if (runs.kind(run) !== RunKind.Plain) continue;
    bits = Math.min(bits, alignmentBits(runs.hostOffset(run) - runs.start(run), bits));
  }
  return 2 ** bits;
}

function startQuestions(
  runs: RunList,
  { fileSizes, areFixed }: Required<Pick<PlanQuestions, "fileSizes" | "areFixed">>,
): StartQuestion[] {
  const leastOffsets = new Float64Array(fileSizes.length).fill(Infinity);
  // The only one begins at its start.
  for (let run = 0; fileSizes.length > 1 && run < runs.length; run++) {
    if (runs.kind(run) !== RunKind.Plain) continue;
    const file = runs.fileNumber(run);
    leastOffsets[file] = Math.min(leastOffsets[file] ?? 0, runs.hostOffset(run));
  }
  return fileSizes.map((sizeBytes, file) => ({
    isFixed: areFixed[file] ?? false,
    sizeBytes,
    leastOffset: leastOffsets[file] ?? 0,
  }));
}

/** The largest blocks that all plain runs begin at, in their files; what does not fit any is copied. */
function commonBlockBits(runs: RunList): number {
  let bits = MAX_BLOCK_BITS;
  for (let run = 0; run < runs.length; run++) {
    if (runs.kind(run) !== RunKind.Plain) continue;
    const aligned = alignmentBits(runs.hostOffset(run), MAX_BLOCK_BITS);
    if (aligned >= MIN_BLOCK_BITS) bits = Math.min(bits, aligned);
  }
  return bits;
}

/**
 * The cheapest chunks: large ones need few entries, but each of them that a run begins within has to be
 * copied. Mostly that comes to clusters.
 */
function cheapestChunkBits(runs: RunList, sizeBytes: number): number {
  const starts = startsByAlignment(runs);
  let best = MIN_CHUNK_BITS;
  let lowest = Infinity;
  let split = 0;
  for (let bits = MIN_CHUNK_BITS; bits <= MAX_CHUNK_BITS; bits++) {
    const cost = Math.ceil(sizeBytes / 2 ** bits) * CHUNK_ENTRY.size +
      split * 2 ** bits * COPY_WEIGHT;
    if (cost < lowest) [best, lowest] = [bits, cost];
    split += starts[bits] ?? 0;
  }
  return best;
}

/** How many runs begin at multiples of 2^n, and not at those of 2^(n+1). */
function startsByAlignment(runs: RunList): Uint32Array {
  const starts = new Uint32Array(MAX_CHUNK_BITS + 1);
  for (let run = 1; run < runs.length; run++) {
    const bits = alignmentBits(runs.start(run), MAX_CHUNK_BITS);
    starts[bits] = (starts[bits] ?? 0) + 1;
  }
  return starts;
}

/** The highest power of two up to 2^`most`, which is at most 2^31, that divides `offset`. */
export function alignmentBits(offset: number, most: number): number {
  const low = offset | 0;
  return low === 0 ? most : Math.min(most, 31 - Math.clz32(low & -low));
}
