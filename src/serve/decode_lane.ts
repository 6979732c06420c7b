/**
 * The threads that decompress for the serving one: started when it has much to decompress, gone when
 * it has not.
 *
 * The serving thread goes on decompressing as well: it only hands over what another thread can begin
 * with at once, or when it is done with what it is doing.
 *
 * @module
 */
import type { DecodeJob, DecodeLane } from "../image/decoding.ts";
import type { Fd } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { pipe } from "../sys/sockets.ts";
import type { SlowTask } from "../storage/slow_lane.ts";
import { startThread } from "./start_thread.ts";
import { Job, type JobOwner } from "./decode_job.ts";
import { type DecodeStart, DecodeTable, MAX_DECODE_JOBS } from "./decode_table.ts";

/** So many wishes within so short a time are worth one more thread. */
const WISHES = 64;
const WISHES_WITHIN_MS = 100;
/** A piece of so many bytes is worth as many wishes as it has of these. */
const WISH_BYTES = 128 * 1024;
/** While pieces of so many bytes are decompressed, the serving thread does not do it as well. */
const LARGE_PIECE_BYTES = 4 * 1024 * 1024;
/** More threads than this find nothing to do: the serving thread reads and sends for all of them. */
export const MAX_DECODE_THREADS = 3;
/** Threads cost memory; one that has ended leaves some 50 kB behind, so that none should end often. */
const PATIENCE_MS = 300_000;
/** No thread is started for so long after one could not be. */
const RETRY_MS = 10_000;
/** One to work on, and one for when that is done. */
const JOBS_PER_THREAD = 2;

export class ThreadedDecodeLane implements DecodeLane, JobOwner, Disposable {
  readonly #table = new DecodeTable();
  readonly #jobs: readonly Job[];
  readonly #maxThreads: number;
  readonly #wake: readonly [Fd, Fd] = pipe();
  readonly #drain = new IoBuffer(64);
  /** All that have been started since the last time that none was there. */
  #workers: Worker[] = [];
  #started = 0;
  #underWay = 0;
  /** Those whose jobs are done. They are told in {@link ThreadedDecodeLane.reap} only. */
  #toTell: SlowTask[] = [];
  #wishes = 0;
  #wishingSinceMs = 0;
  #notBeforeMs = -Infinity;

  readonly #patienceMs: number;

  /**
   * @param maxThreads threads to start at most; 0 for none
   * @param patienceMs how long they wait for work before they end
   */
  constructor(maxThreads: number, patienceMs = PATIENCE_MS) {
    this.#maxThreads = maxThreads;
    this.#patienceMs = patienceMs;
    this.#jobs = Array.from(
      { length: MAX_DECODE_JOBS },
      (_, number) => new Job(this, this.#table, number),
    );
  }

  /** Whether some job is not done, or nobody has been told yet. */
  get busy(): boolean {
    return this.#underWay > 0 || this.#toTell.length > 0;
  }

  /** Readable when a job is done while {@link ThreadedDecodeLane.fallAsleep} is in force. */
  get wakeFd(): number {
    return this.#wake[0].number;
  }

  claim(storedBytes: number, decodedBytes: number): DecodeJob | undefined {
    const { threads } = this.#table;
    const isLarge = decodedBytes >= LARGE_PIECE_BYTES;
    const limit = Math.min(threads * (isLarge ? 1 : JOBS_PER_THREAD), MAX_DECODE_JOBS);
    if (this.#underWay >= limit) this.#conclude();
    if (this.#underWay >= limit) {
      this.#wish(decodedBytes);
      return undefined;
    }
    const job = this.#jobs.find(({ claimed }) => !claimed);
    if (job === undefined || !job.makeRoom(storedBytes, decodedBytes)) return undefined;
    job.claimed = true;
    return job;
  }

  started(): void {
    this.#underWay++;
  }

  tellLater(tasks: readonly SlowTask[]): void {
    this.#toTell.push(...tasks);
  }

  /** Tells those whose jobs are done. */
  reap(): void {
    this.#conclude();
    const told = this.#toTell;
    this.#toTell = [];
    for (const task of told) task.finished(0);
  }

  #conclude(): void {
    for (const job of this.#jobs) {
      if (job.claimed && job.conclude()) this.#underWay--;
    }
  }

  /**
   * Says that the serving thread is about to wait for {@link ThreadedDecodeLane.wakeFd}.
   *
   * @returns false if it had better not: a job is done
   */
  fallAsleep(): boolean {
    if (this.#toTell.length > 0) return false;
    if (!this.busy) return true;
    this.#table.setSleeping(1);
    return !this.#jobs.some((job) => job.isDone);
  }

  wakeUp(): void {
    if (this.#table.isSleeping) this.#table.setSleeping(0);
  }

  releaseMemory(): void {
    for (const job of this.#jobs) job.releaseMemory();
  }

  /** Empties the pipe that has woken the serving thread. */
  drain(): void {
    libc().read(this.wakeFd, this.#drain.address, this.#drain.size);
  }

  /** There would be work for one more thread. */
  #wish(decodedBytes: number): void {
    const maxThreads = this.#maxThreadsFor(decodedBytes);
    if (this.#table.threads >= maxThreads) return;
    const nowMs = performance.now();
    if (nowMs - this.#wishingSinceMs > WISHES_WITHIN_MS) {
      this.#wishingSinceMs = nowMs;
      this.#wishes = 0;
    }
    this.#wishes += Math.max(1, decodedBytes / WISH_BYTES);
    if (this.#wishes < WISHES || this.#started > this.#table.arrivals) return;
    // The one that was on its way may just have come.
    if (this.#table.threads < maxThreads) this.#tryToStartThread(nowMs);
  }

  #maxThreadsFor(decodedBytes: number): number {
    const max = this.#maxThreads;
    return max > 0 && decodedBytes >= LARGE_PIECE_BYTES ? max + 1 : max;
  }

  /** Where no thread can be had, the serving one goes on doing it all. */
  #tryToStartThread(nowMs: number): void {
    if (nowMs < this.#notBeforeMs) return;
    try {
      this.#startThread();
    } catch {
      this.#notBeforeMs = nowMs + RETRY_MS;
    }
  }

  /** It reports itself for duty. */
  #startThread(): void {
    // One that thinks of ending may still change its mind: none of them is terminated here.
    if (this.#table.threads === 0) this.#workers = [];
    const start: DecodeStart = {
      sharedMemory: this.#table.memory,
      wakeFd: this.#wake[1].number,
      patienceMs: this.#patienceMs,
    };
    const worker = startThread("serve/decode_worker");
    worker.postMessage(start);
    this.#workers.push(worker);
    this.#started++;
  }

  /** Ends the threads, whatever they are doing. */
  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
    for (const end of this.#wake) end.close();
  }
}
