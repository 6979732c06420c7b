/**
 * A file that another thread fills from its start on, while others read what is there already.
 *
 *     0 ......... mark ......... end        what all threads know: how far it has come, and whether it is over
 *     what reads find │ what they wait for
 *
 * @module
 */
import { fileSystemOf } from "../sys/file_systems.ts";
import type { Fd, LentFd } from "../sys/files.ts";
import { ImageFile, type SharedFile } from "./image_file.ts";

/** What the mark is counted in. */
export const SPOOL_STEP_BYTES = 1024 * 1024;

/** What can be done where there is no room for it. */
export const SPOOL_ADVICE = " ($TMPDIR names another folder)";

/** What all threads know, as indexes of 32-bit integers. */
const Field = { State: 0, Steps: 1, size: 2 } as const;
const State = { Filling: 0, Complete: 1, Failed: 2 } as const;

/** A spool that another thread has open, for as long as the process lives. */
export interface SharedSpool extends SharedFile {
  readonly progress: SharedArrayBuffer;
}

export class SpoolFile extends ImageFile {
  /** What it shares with other threads. */
  readonly progress: SharedArrayBuffer;
  readonly #fields: Int32Array<SharedArrayBuffer>;

  /** @param progress another thread's {@link SpoolFile.progress}, or nothing for a new file */
  constructor(
    descriptor: Fd | LentFd,
    path: string,
    progress: SharedArrayBuffer = new SharedArrayBuffer(Field.size * 4),
  ) {
    super(descriptor, path);
    this.progress = progress;
    this.#fields = new Int32Array(progress);
  }

  /** So many bytes from the start on are there; all, if it is complete. */
  get markBytes(): number {
    if (this.isComplete) return Infinity;
    return Atomics.load(this.#fields, Field.Steps) * SPOOL_STEP_BYTES;
  }

  /** How many bytes its file system has room for; Infinity where it does not say. */
  get roomBytes(): number {
    return fileSystemOf(this.fd)?.roomBytes ?? Infinity;
  }

  get isComplete(): boolean {
    return this.#state === State.Complete;
  }

  /** Whether nothing will come behind the mark. */
  get hasFailed(): boolean {
    return this.#state === State.Failed;
  }

  get #state(): number {
    return Atomics.load(this.#fields, Field.State);
  }

  /** One more step is there. */
  advance(): void {
    Atomics.add(this.#fields, Field.Steps, 1);
  }

  end(outcome: "complete" | "failed"): void {
    const state = outcome === "complete" ? State.Complete : State.Failed;
    Atomics.store(this.#fields, Field.State, state);
  }
}
