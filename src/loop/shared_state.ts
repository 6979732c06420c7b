/**
 * What the threads of one daemon have to agree on, in shared memory.
 *
 * @module
 */
import { MAX_THREADS } from "./threads.ts";

const Field = {
  FlushFailed: 0,
  Spinner: 1,
  SizesTaken: 2,
  Connections: 3,
  count: 3 + MAX_THREADS,
} as const;

/** Counters and flags that every thread sees. */
export class SharedState {
  readonly #fields: Int32Array<SharedArrayBuffer>;

  /** @param memory another thread's {@link SharedState.memory}, or nothing for a new state */
  constructor(memory?: SharedArrayBuffer) {
    this.#fields = new Int32Array(memory ?? new SharedArrayBuffer(Field.count * 4));
  }

  get memory(): SharedArrayBuffer {
    return this.#fields.buffer;
  }

  /** Connections that thread number `thread` serves or is about to. */
  connectionsOf(thread: number): number {
    return Atomics.load(this.#fields, Field.Connections + thread);
  }

  addConnection(thread: number): void {
    Atomics.add(this.#fields, Field.Connections + thread, 1);
  }

  removeConnection(thread: number): void {
    Atomics.sub(this.#fields, Field.Connections + thread, 1);
  }

  /**
   * Whether a flush has ever failed. The kernel reports a lost write only once, so that from then
   * on no flush may claim success.
   */
  get flushFailed(): boolean {
    return Atomics.load(this.#fields, Field.FlushFailed) !== 0;
  }

  setFlushFailed(): void {
    Atomics.store(this.#fields, Field.FlushFailed, 1);
  }

  /** How often worker threads have taken notice of the image's size, all of them together. */
  get sizesTaken(): number {
    return Atomics.load(this.#fields, Field.SizesTaken);
  }

  addSizeTaken(): void {
    Atomics.add(this.#fields, Field.SizesTaken, 1);
  }

  /** Lets one thread at a time poll busily; false if another one does. */
  startSpinning(thread: number): boolean {
    const holder = Atomics.compareExchange(this.#fields, Field.Spinner, 0, thread + 1);
    return holder === 0 || holder === thread + 1;
  }

  stopSpinning(thread: number): void {
    Atomics.compareExchange(this.#fields, Field.Spinner, thread + 1, 0);
  }
}
