/**
 * How a disk can be shown as a file in chunks: how large chunks and blocks are, and where each chunk is
 * taken from.
 *
 * @module
 */
import { CHUNK_ENTRY, MAX_BLOCK_BITS, MIN_BLOCK_BITS, NO_BLOCK } from "./layout.ts";
import { RunKind, type RunList } from "./run_list.ts";

/** Smaller chunks only make more entries: pages are what the kernel reads. */
const MIN_CHUNK_BITS = 12;
const MAX_CHUNK_BITS = 21;
/** How much dearer a copied byte is than one of an entry: it is in memory twice then. */
const COPY_WEIGHT = 16;
/** Copied at most, of what lies awkwardly: the last blocks of files, mostly. */
export const MAX_COPIED_BYTES = 8 * 1024 * 1024;

/**
 * Metadata that are kept in memory at most: those of 1 TiB in scattered clusters of 64 KiB, which take
 * half a second to make, and twice the memory of a daemon.
 */
export const MAX_METADATA_BYTES = 128 * 1024 * 1024;
const MAX_CHUNKS = MAX_METADATA_BYTES / CHUNK_ENTRY.size;
/** No larger disk can be shown, whatever it consists of. */
export const MAX_VIEW_BYTES = MAX_CHUNKS * 2 ** MAX_CHUNK_BITS;

/** Where chunks are taken from that are in none of the files. */
export const ChunkSource = {
  /** A hole. */
  Zero: -1,
  /** Copied into the metadata. */
  Copy: -2,
  /** A server of ours has it. */
  Server: -3,
} as const;

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
  /**
   * Calls `visit` for each chunk that is no hole, in their order.
   *
   * @param visit is told the chunk's number; the number of its file, or one of {@link ChunkSource}; and
   * where it begins in its file
   */
  forEachChunk(visit: (chunk: number, source: number, hostOffset: number) => void): void;
}

/**
 * Plans a view.
 *
 * @param fileSizes of the list's files, in bytes
 * @throws {RangeError} if there would be too many chunks, or a server is needed for a disk whose blocks
 *   have no numbers
 */
export function planView(
  runs: RunList,
  { sizeBytes, fileSizes }: { readonly sizeBytes: number; readonly fileSizes: readonly number[] },
): ViewPlan {
  const blockBits = commonBlockBits(runs);
  const chunkBits = cheapestChunkBits(runs, sizeBytes);
  const chunks = Math.ceil(sizeBytes / 2 ** chunkBits);
  if (chunks > MAX_CHUNKS) throw new RangeError("the disk has too many clusters for a view");
  const walker = new ChunkWalker(runs, { sizeBytes, fileSizes, blockBits, chunkBits });
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
  const blocks = Math.ceil(sizeBytes / 2 ** blockBits);
  if (serverChunks > 0 && blocks >= NO_BLOCK) {
    throw new RangeError(`a disk of ${blocks} blocks is too large for a view with a server`);
  }
  return {
    sizeBytes,
    blockBits,
    chunkBits,
    chunks,
    copies: areTooMany ? [] : copies,
    serverChunks,
    plainChunks,
    forEachChunk: (visit) => walker.forEachChunk(visit),
  };
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
function alignmentBits(offset: number, most: number): number {
  const low = offset | 0;
  return low === 0 ? most : Math.min(most, 31 - Math.clz32(low & -low));
}

/** Whether only a server can read a run, as far as chunks go. */
function isServed(kind: RunKind): boolean {
  return kind === RunKind.Special || kind === RunKind.Packed;
}

interface Geometry {
  readonly sizeBytes: number;
  readonly fileSizes: readonly number[];
  readonly blockBits: number;
  readonly chunkBits: number;
}

/** Goes through the chunks of a disk in their order. */
class ChunkWalker {
  /** Whether chunks that would be copied are the server's. */
  copiesAreServed = false;
  readonly #runs: RunList;
  readonly #sizeBytes: number;
  readonly #chunkBytes: number;
  readonly #blocksPerByte: number;
  /** Of each file, how many blocks can be named. */
  readonly #fileBlocks: readonly number[];

  constructor(runs: RunList, { sizeBytes, fileSizes, blockBits, chunkBits }: Geometry) {
    this.#runs = runs;
    this.#sizeBytes = sizeBytes;
    this.#chunkBytes = 2 ** chunkBits;
    this.#blocksPerByte = 2 ** -blockBits;
    this.#fileBlocks = fileSizes.map((size) =>
      Math.min(Math.floor(size * this.#blocksPerByte), NO_BLOCK - 1)
    );
  }

  forEachChunk(visit: (chunk: number, source: number, hostOffset: number) => void): void {
    const sizeBytes = this.#sizeBytes;
    const chunkBytes = this.#chunkBytes;
    let run = 0;
    for (let start = 0, chunk = 0; start < sizeBytes; start += chunkBytes, chunk++) {
      const end = Math.min(start + chunkBytes, sizeBytes);
      while (this.#runs.end(run) <= start) run++;
      const source = this.#sourceOf(run, start, end);
      if (source === ChunkSource.Zero) {
        const whole = Math.floor((this.#runs.end(run) - start) / chunkBytes);
        // All that lie in the same hole at once: most of a sparse disk.
        chunk += Math.max(0, whole - 1);
        start = chunk * chunkBytes;
        continue;
      }
      const isPlain = source >= 0;
      visit(chunk, source, isPlain ? this.#hostOffset(run, start) : 0);
    }
  }

  #hostOffset(run: number, start: number): number {
    return this.#runs.hostOffset(run) + start - this.#runs.start(run);
  }

  /** Where the chunk from `start` to `end` is taken from, whose first byte lies in `run`. */
  #sourceOf(run: number, start: number, end: number): number {
    const runs = this.#runs;
    if (runs.end(run) >= end) {
      if (runs.kind(run) === RunKind.Zero) return ChunkSource.Zero;
      if (isServed(runs.kind(run))) return ChunkSource.Server;
      return this.#canReadPlainly(run, start, end) ? runs.fileNumber(run) : this.#awkward;
    }
    // Of several runs: the server's, if it is needed for one of them.
    let last = run;
    while (runs.end(last) < end) last++;
    for (let at = run; at <= last; at++) {
      if (isServed(runs.kind(at))) return ChunkSource.Server;
    }
    return this.#awkward;
  }

  get #awkward(): number {
    return this.copiesAreServed ? ChunkSource.Server : ChunkSource.Copy;
  }

  /** Whether whole blocks of the file have the chunk, none of which reaches past its device's end. */
  #canReadPlainly(run: number, start: number, end: number): boolean {
    const first = this.#hostOffset(run, start) * this.#blocksPerByte;
    if (first !== Math.floor(first)) return false;
    const blocks = Math.ceil((end - start) * this.#blocksPerByte);
    return first + blocks <= (this.#fileBlocks[this.#runs.fileNumber(run)] ?? 0);
  }
}
