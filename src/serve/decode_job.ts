/**
 * One piece of work for the threads that decompress, as the serving thread sees it.
 *
 * @module
 */
import type { DecodeJob, DecodeTask } from "../image/decoding.ts";
import type { SlowTask } from "../storage/slow_lane.ts";
import { IoBuffer } from "../sys/memory.ts";
import { type DecodeTable, JobField, JobState } from "./decode_table.ts";

/** Whoever has the jobs. */
export interface JobOwner {
  /** A job has been handed over. */
  started(): void;
  /** Has those told that wait for a job which is done, though not from within this call. */
  tellLater(tasks: readonly SlowTask[]): void;
}

export class Job implements DecodeJob {
  input = new IoBuffer(0);
  output = new IoBuffer(0);
  claimed = false;
  readonly #owner: JobOwner;
  readonly #table: DecodeTable;
  readonly #number: number;
  #task: DecodeTask | undefined;
  #waiters: SlowTask[] = [];

  constructor(owner: JobOwner, table: DecodeTable, number: number) {
    this.#owner = owner;
    this.#table = table;
    this.#number = number;
  }

  /** False where there is no memory for it. */
  makeRoom(storedBytes: number, decodedBytes: number): boolean {
    try {
      if (this.input.size < storedBytes) this.input = new IoBuffer(storedBytes);
      if (this.output.size < decodedBytes) this.output = new IoBuffer(decodedBytes);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  /** Gives its room back, unless it is in use. */
  releaseMemory(): void {
    if (this.claimed) return;
    this.input = new IoBuffer(0);
    this.output = new IoBuffer(0);
  }

  start(task: DecodeTask): boolean {
    const table = this.#table;
    this.#task = task;
    table.set(this.#number, JobField.Method, task.method);
    table.set(this.#number, JobField.StoredBytes, task.storedBytes);
    table.set(this.#number, JobField.DecodedBytes, task.decodedBytes);
    table.set(this.#number, JobField.LeastBytes, task.leastBytes);
    this.#setAddress(JobField.InputLow, JobField.InputHigh, this.input.address);
    this.#setAddress(JobField.OutputLow, JobField.OutputHigh, this.output.address);
    table.set(this.#number, JobField.State, JobState.Queued);
    table.announceJob();
    // The last thread may have lost its patience in that moment.
    if (table.threads === 0 && table.move(this.#number, JobState.Queued, JobState.Free)) {
      this.release();
      return false;
    }
    this.#owner.started();
    return true;
  }

  #setAddress(low: JobField, high: JobField, address: number): void {
    this.#table.set(this.#number, low, address | 0);
    this.#table.set(this.#number, high, Math.floor(address / 2 ** 32));
  }

  addWaiter(task: SlowTask): void {
    // It may have been done since somebody found it under way: nobody would tell then.
    if (this.claimed) this.#waiters.push(task);
    else this.#owner.tellLater([task]);
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
    this.#owner.tellLater(waiters);
    return true;
  }
}
