/**
 * The jobs that the serving thread and those that decompress for it share: a table in shared memory.
 *
 * A job is claimed and queued by the serving thread, taken by one of the others, and free again when
 * the serving thread has seen that it is done.
 *
 * @module
 */

/** Jobs at the same time. */
export const MAX_DECODE_JOBS = 8;

/** Counters of the table, as indexes of 32-bit integers. */
const Header = {
  /** Jobs queued so far: what idle threads wait on. */
  Queued: 0,
  /** Threads that are there to take jobs. */
  Threads: 1,
  /** Threads that have ever come. */
  Arrivals: 2,
  /** Whether the serving thread sleeps, so that it has to be woken. */
  Sleeping: 3,
  size: 4,
} as const;

/** Fields of a job. Addresses are in two halves. */
export const JobField = {
  State: 0,
  Method: 1,
  StoredBytes: 2,
  DecodedBytes: 3,
  InputLow: 4,
  InputHigh: 5,
  OutputLow: 6,
  OutputHigh: 7,
  LeastBytes: 8,
  size: 9,
} as const;
export type JobField = Exclude<typeof JobField[keyof typeof JobField], 9>;

export const JobState = { Free: 0, Queued: 1, Running: 2, Done: 3, Failed: 4 } as const;
export type JobState = typeof JobState[keyof typeof JobState];

/** What a decoding thread is told at its start. */
export interface DecodeStart {
  readonly sharedMemory: SharedArrayBuffer;
  /** Write end of a pipe that wakes the serving thread. */
  readonly wakeFd: number;
  /** How long it waits for work before it ends. */
  readonly patienceMs: number;
}

export class DecodeTable {
  readonly #fields: Int32Array<SharedArrayBuffer>;

  /** @param memory another thread's {@link DecodeTable.memory}, or nothing for a new table */
  constructor(memory?: SharedArrayBuffer) {
    const integers = Header.size + MAX_DECODE_JOBS * JobField.size;
    this.#fields = new Int32Array(memory ?? new SharedArrayBuffer(integers * 4));
  }

  get memory(): SharedArrayBuffer {
    return this.#fields.buffer;
  }

  get(job: number, field: JobField): number {
    return Atomics.load(this.#fields, indexOf(job, field));
  }

  set(job: number, field: JobField, value: number): void {
    Atomics.store(this.#fields, indexOf(job, field), value);
  }

  /** Moves a job from one state to another; false if it was in neither any more. */
  move(job: number, from: JobState, to: JobState): boolean {
    return Atomics.compareExchange(this.#fields, indexOf(job, JobField.State), from, to) === from;
  }

  get threads(): number {
    return Atomics.load(this.#fields, Header.Threads);
  }

  addThreads(count: number): void {
    Atomics.add(this.#fields, Header.Threads, count);
  }

  get arrivals(): number {
    return Atomics.load(this.#fields, Header.Arrivals);
  }

  /** A new thread reports for duty. */
  arrive(): void {
    this.addThreads(1);
    Atomics.add(this.#fields, Header.Arrivals, 1);
  }

  /** Wakes a thread that waits for jobs. */
  announceJob(): void {
    Atomics.add(this.#fields, Header.Queued, 1);
    Atomics.notify(this.#fields, Header.Queued, 1);
  }

  /** What to give to {@link DecodeTable.waitForJob}: taken before looking for a job. */
  get queued(): number {
    return Atomics.load(this.#fields, Header.Queued);
  }

  /** Waits until a job is queued after `queued` was asked; false if none is for so long. */
  waitForJob(queued: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#fields, Header.Queued, queued, timeoutMs) !== "timed-out";
  }

  get isSleeping(): boolean {
    return Atomics.load(this.#fields, Header.Sleeping) !== 0;
  }

  setSleeping(sleeping: 0 | 1): void {
    Atomics.store(this.#fields, Header.Sleeping, sleeping);
  }
}

function indexOf(job: number, field: JobField): number {
  return Header.size + job * JobField.size + field;
}
