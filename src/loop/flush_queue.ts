/**
 * Flushes share syncs: while one runs, all that ask for another wait for the same next one.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { EIO } from "../sys/errno.ts";
import type { SlowLane, SlowTask } from "../storage/slow_lane.ts";
import type { SharedState } from "./shared_state.ts";

/** Syncs the files of an image; tells each waiting task whether its data is durable. */
export class FlushQueue {
  readonly #files: readonly ImageFile[];
  readonly #lane: SlowLane;
  readonly #shared: SharedState;
  readonly #onFailure: (errno: number) => void;
  /** Tasks of the sync under way, and of the one after it. */
  #current: SlowTask[] = [];
  #next: SlowTask[] = [];
  #filesToGo = 0;
  #errno = 0;

  constructor(
    files: readonly ImageFile[],
    context: {
      readonly lane: SlowLane;
      readonly shared: SharedState;
      readonly onFailure: (errno: number) => void;
    },
  ) {
    this.#files = files;
    this.#lane = context.lane;
    this.#shared = context.shared;
    this.#onFailure = context.onFailure;
  }

  /** Has `task` told when everything written so far is durable, or that it is not (EIO). */
  add(task: SlowTask): void {
    this.#next.push(task);
    if (this.#filesToGo === 0) this.#start();
  }

  #start(): void {
    this.#current = this.#next;
    this.#next = [];
    this.#errno = 0;
    this.#filesToGo = this.#files.length;
    const oneDone: SlowTask = { finished: (errno) => this.#fileSynced(errno) };
    for (const file of this.#files) this.#lane.sync(file, oneDone);
    if (this.#files.length === 0) this.#finish();
  }

  #fileSynced(errno: number): void {
    if (errno !== 0) this.#errno = errno;
    if (--this.#filesToGo === 0) this.#finish();
  }

  #finish(): void {
    if (this.#errno !== 0) {
      this.#shared.setFlushFailed();
      this.#onFailure(this.#errno);
    }
    const result = this.#shared.flushFailed ? (this.#errno || EIO) : 0;
    const done = this.#current;
    this.#current = [];
    if (this.#next.length > 0) this.#start();
    for (const task of done) task.finished(result);
  }
}
