/**
 * Finds out where chunks are, as they are asked for.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { Run } from "../disk/runs.ts";
import type { Attempt } from "../storage/attempt.ts";
import { ChunkEntries } from "./chunk_entries.ts";
import { ChunkWalker } from "./chunk_walker.ts";
import type { DemandLayout } from "./demand_layout.ts";
import { CHUNK_ENTRY } from "./layout.ts";
import { RunList } from "./run_list.ts";

/** Those of one thread. */
export class DemandChunks {
  readonly #access: ImageAccess;
  readonly #layout: DemandLayout;
  readonly #chunkBytes: number;
  readonly #entries: ChunkEntries;
  readonly #runs: RunList;
  readonly #walker: ChunkWalker;
  readonly #run = new Run();

  constructor(access: ImageAccess, layout: DemandLayout) {
    this.#access = access;
    this.#layout = layout;
    this.#chunkBytes = 2 ** layout.chunkBits;
    this.#entries = new ChunkEntries(layout);
    this.#runs = new RunList(access.files);
    this.#walker = new ChunkWalker(this.#runs, layout);
    this.#walker.copiesAreServed = true;
    this.#run.seesHoles = false;
  }

  /** How many the disk has. */
  get count(): number {
    return Math.ceil(this.#layout.sizeBytes / this.#chunkBytes);
  }

  /**
   * Writes the entries of chunks from `first` up to, but without `end`.
   *
   * @param attempt whether that may wait for a disk
   * @returns false if it would, and may not
   */
  write(first: number, end: number, view: DataView, attempt: Attempt): boolean {
    if (!this.#listRuns(first * this.#chunkBytes, end * this.#chunkBytes, attempt)) return false;
    new Uint8Array(view.buffer, view.byteOffset, (end - first) * CHUNK_ENTRY.size).fill(0xff);
    this.#walker.forEachChunk((chunk, source, hostOffset) => {
      this.#entries.write(view, (chunk - first) * CHUNK_ENTRY.size, chunk, source, hostOffset);
    });
    return true;
  }

  #listRuns(start: number, end: number, attempt: Attempt): boolean {
    const last = Math.min(end, this.#layout.sizeBytes);
    const run = this.#run;
    this.#runs.restart(start);
    run.mapping.attempt = attempt;
    for (let at = start; at < last; at += run.lengthBytes) {
      if (!this.#findRun(at, last - at)) return false;
      this.#runs.add(run);
    }
    return true;
  }

  /** What cannot be found out is left to the server, which says why when it is read. */
  #findRun(at: number, lengthBytes: number): boolean {
    const run = this.#run;
    try {
      return this.#access.findRun(at, lengthBytes, run);
    } catch {
      const rest = this.#chunkBytes - at % this.#chunkBytes;
      run.isZero = false;
      run.file = undefined;
      run.lengthBytes = Math.min(rest, lengthBytes);
      return true;
    }
  }
}
