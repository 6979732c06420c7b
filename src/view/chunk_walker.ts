/**
 * Goes through the chunks of a disk: where each of them is taken from.
 *
 * @module
 */
import { NO_BLOCK } from "./layout.ts";
import { RunKind, type RunList } from "./run_list.ts";

/** Where chunks are taken from that are in none of the files. */
export const ChunkSource = {
  /** A hole. */
  Zero: -1,
  /** Copied into the metadata. */
  Copy: -2,
  /** A server of ours has it. */
  Server: -3,
} as const;

export interface ChunkGeometry {
  /** Of the disk. */
  readonly sizeBytes: number;
  /** Of the files, in bytes, as far as their devices show them. */
  readonly fileSizes: readonly number[];
  /** Where in the files their devices begin, in bytes. */
  readonly fileStarts: readonly number[];
  readonly blockBits: number;
  readonly chunkBits: number;
  /** Only what begins at multiples of so many bytes of its file, a power of two, is taken from there. */
  readonly hostUnitBytes: number;
}

/** @param hostOffset where the chunk begins in its file, of one that lies in a file */
export type ChunkVisitor = (chunk: number, source: number, hostOffset: number) => void;

/** Goes through chunks in their order. */
export class ChunkWalker {
  /** Whether chunks that would be copied are the server's. */
  copiesAreServed = false;
  readonly #runs: RunList;
  readonly #geometry: ChunkGeometry;
  readonly #chunkBytes: number;
  readonly #unitsPerByte: number;
  readonly #blockBytes: number;
  /** Of each file, where its last block ends that can be named. */
  readonly #fileEnds: readonly number[];

  constructor(runs: RunList, geometry: ChunkGeometry) {
    const { fileSizes, fileStarts, blockBits, chunkBits, hostUnitBytes } = geometry;
    const blockBytes = 2 ** blockBits;
    this.#runs = runs;
    this.#geometry = geometry;
    this.#chunkBytes = 2 ** chunkBits;
    this.#unitsPerByte = 1 / hostUnitBytes;
    this.#blockBytes = blockBytes;
    this.#fileEnds = fileSizes.map((size, file) => {
      const start = fileStarts[file] ?? 0;
      const blocks = Math.min(Math.floor((size - start) / blockBytes), NO_BLOCK - 1);
      return start + blocks * blockBytes;
    });
  }

  /** Visits all chunks that the list has, but for holes; the list begins with a chunk. */
  forEachChunk(visit: ChunkVisitor): void {
    const runs = this.#runs;
    if (runs.length === 0) return;
    const chunkBytes = this.#chunkBytes;
    const endOfRuns = runs.end(runs.length - 1);
    let run = 0;
    let chunk = Math.floor(runs.start(0) / chunkBytes);
    for (let start = runs.start(0); start < endOfRuns; start += chunkBytes, chunk++) {
      const end = Math.min(start + chunkBytes, this.#geometry.sizeBytes);
      while (runs.end(run) <= start) run++;
      const source = this.#sourceOf(run, start, end);
      if (source === ChunkSource.Zero) {
        const whole = Math.floor((runs.end(run) - start) / chunkBytes);
        // All that lie in the same hole at once: most of a sparse disk.
        chunk += Math.max(0, whole - 1);
        start = chunk * chunkBytes;
        continue;
      }
      visit(chunk, source, source >= 0 ? this.#hostOffset(run, start) : 0);
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

  /** Whether whole blocks of the file's device have the chunk. */
  #canReadPlainly(run: number, start: number, end: number): boolean {
    const { fileStarts } = this.#geometry;
    const blockBytes = this.#blockBytes;
    const file = this.#runs.fileNumber(run);
    const first = this.#hostOffset(run, start);
    const units = first * this.#unitsPerByte;
    if (units !== Math.floor(units) || first < (fileStarts[file] ?? 0)) return false;
    const wholeBytes = Math.ceil((end - start) / blockBytes) * blockBytes;
    return first + wholeBytes <= (this.#fileEnds[file] ?? 0);
  }
}

/** Whether only a server can read a run, as far as chunks go. */
function isServed(kind: RunKind): boolean {
  return kind === RunKind.Special || kind === RunKind.Packed;
}
