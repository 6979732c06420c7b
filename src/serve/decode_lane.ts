/**
 * The threads that decompress for the serving one: started when it has much to decompress, gone when
 * it has not.
 *
 * The serving thread goes on decompressing as well: it only hands over what another thread can begin
 * with at once, or when it is done with what it is doing.
 *
 * @module
 */
import type { DecodeJob, DecodeLane, DecodeTask } from "../image/decoding.ts";
import type { Fd } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { pipe } from "../sys/sockets.ts";
import type { SlowTask } from "../storage/slow_lane.ts";
import { startThread } from "./start_thread.ts";
import {
  type DecodeStart,
  DecodeTable,
  JobField,
  JobState,
  MAX_DECODE_JOBS,
} from "./decode_table.ts";

/** So many wishes within so short a time are worth one more thread. */
const WISHES = 64;
const WISHES_WITHIN_MS = 100;
/** More threads than this find nothing to do: the serving thread reads and sends for all of them. */
export const MAX_DECODE_THREADS = 3;
/** Threads cost memory; one that has ended leaves some 50 kB behind, so that none should end often. */
const PATIENCE_MS = 300_000;
/** One to work on, and one for when that is done. */
const JOBS_PER_THREAD = 2;

class Job implements DecodeJob {
  input = new IoBuffer(0);
  output = new IoBuffer(0);
  claimed = false;
  readonly #lane: ThreadedDecodeLane;
  readonly #table: DecodeTable;
  readonly #number: number;
  #task: DecodeTask | undefined;
  #waiters: SlowTask[] = [];

  constructor(lane: ThreadedDecodeLane, table: DecodeTable, number: number) {
    this.#lane = lane;
    this.#table = table;
    this.#number = number;
  }

  makeRoom(storedBytes: number, decodedBytes: number): void {
    if (this.input.size < storedBytes) this.input = new IoBuffer(storedBytes);
    if (this.output.size < decodedBytes) this.output = new IoBuffer(decodedBytes);
  }

  start(task: DecodeTask): boolean {
    const table = this.#table;
    this.#task = task;
    table.set(this.#number, JobField.Method, task.method);
    table.set(this.#number, JobField.StoredBytes, task.storedBytes);
    table.set(this.#number, JobField.DecodedBytes, task.decodedBytes);
    this.#setAddress(JobField.InputLow, JobField.InputHigh, this.input.address);
    this.#setAddress(JobField.OutputLow, JobField.OutputHigh, this.output.address);
    table.set(this.#number, JobField.State, JobState.Queued);
    table.announceJob();
    // The last thread may have lost its patience in that moment.
    if (table.threads === 0 && table.move(this.#number, JobState.Queued, JobState.Free)) {
      this.release();
      return false;
    }
    this.#lane.started();
    return true;
  }

  #setAddress(low: JobField, high: JobField, address: number): void {
    this.#table.set(this.#number, low, address | 0);
    this.#table.set(this.#number, high, Math.floor(address / 2 ** 32));
  }

  addWaiter(task: SlowTask): void {
    // It may have been done since somebody found it under way: nobody would tell then.
    if (this.claimed) this.#waiters.push(task);
    else this.#lane.tellLater([task]);
  }

  release(): void {
    this.claimed = false;
    this.#task = undefined;
  }

  get isDone(): boolean {
    const state = this.#table.get(this.#number, JobField.State);
    return state === JobState.Done || state === JobState.Failed;
  }

  /** Has whoever waits for it told later, if it is done; whether it was. */
  conclude(): boolean {
    if (!this.isDone) return false;
    const state = this.#table.get(this.#number, JobField.State);
    this.#table.set(this.#number, JobField.State, JobState.Free);
    const task = this.#task;
    const waiters = this.#waiters;
    this.#waiters = [];
    task?.onDone(state === JobState.Done);
    this.release();
    this.#lane.tellLater(waiters);
    return true;
  }
}

export class ThreadedDecodeLane implements DecodeLane, Disposable {
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
    const limit = Math.min(threads * JOBS_PER_THREAD, MAX_DECODE_JOBS);
    if (this.#underWay >= limit) this.#conclude();
    if (this.#underWay >= limit) {
      this.#wish();
      return undefined;
    }
    const job = this.#jobs.find(({ claimed }) => !claimed);
    if (job === undefined) return undefined;
    job.makeRoom(storedBytes, decodedBytes);
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

  /** Empties the pipe that has woken the serving thread. */
  drain(): void {
    libc().read(this.wakeFd, this.#drain.address, this.#drain.size);
  }

  /** There would be work for one more thread. */
  #wish(): void {
    if (this.#table.threads >= this.#maxThreads) return;
    const nowMs = performance.now();
    if (nowMs - this.#wishingSinceMs > WISHES_WITHIN_MS) {
      this.#wishingSinceMs = nowMs;
      this.#wishes = 0;
    }
    if (++this.#wishes < WISHES || this.#started > this.#table.arrivals) return;
    // The one that was on its way may just have come.
    if (this.#table.threads < this.#maxThreads) this.#startThread();
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
