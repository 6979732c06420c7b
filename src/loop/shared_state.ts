/**
 * What the threads of one daemon have to agree on, in shared memory.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import { MAX_THREADS } from "./threads.ts";

const Field = {
  FlushFailed: 0,
  Spinner: 1,
  SizesTaken: 2,
  SyncsBegun: 3,
  SyncsEnded: 4,
  SyncAwaiters: 5,
  FailedThreads: 6,
  Connections: 7,
  count: 7 + MAX_THREADS,
} as const;

/** Counters and flags that every thread sees. */
export class SharedState {
  readonly #fields: Int32Array<SharedArrayBuffer>;
  /** Where the next daemon looks, if there may be one. */
  readonly lostAddress: number | undefined;

  /**
   * @param memory another thread's {@link SharedState.memory}, or nothing for a new state
   * @param lostAddress as {@link ChangeJournal.lostAddress}
   */
  constructor(memory?: SharedArrayBuffer, lostAddress?: number) {
    this.#fields = new Int32Array(memory ?? new SharedArrayBuffer(Field.count * 4));
    this.lostAddress = lostAddress;
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

  /** Nobody is told of it before the next daemon would know. */
  setFlushFailed(): void {
    const { lostAddress } = this;
    if (lostAddress !== undefined) IoBuffer.over(lostAddress, 4).view.setInt32(0, 1, true);
    Atomics.store(this.#fields, Field.FlushFailed, 1);
  }

  /** Number of the sync that begins next, modulo 2^32. */
  get nextSync(): number {
    return Atomics.load(this.#fields, Field.SyncsBegun) + 1 | 0;
  }

  /** Begins the next sync; false if one is under way. */
  beginSync(): boolean {
    const ended = Atomics.load(this.#fields, Field.SyncsEnded);
    const next = ended + 1 | 0;
    return Atomics.compareExchange(this.#fields, Field.SyncsBegun, ended, next) === ended;
  }

  /** Ends the sync that this thread has begun. */
  endSync(): void {
    Atomics.add(this.#fields, Field.SyncsEnded, 1);
    Atomics.notify(this.#fields, Field.SyncsEnded);
  }

  get isSyncing(): boolean {
    const ended = Atomics.load(this.#fields, Field.SyncsEnded);
    return Atomics.load(this.#fields, Field.SyncsBegun) !== ended;
  }

  /** Whether sync number `sync` has ended; it is one of the next 2^31 or of the last. */
  hasSyncEnded(sync: number): boolean {
    return (Atomics.load(this.#fields, Field.SyncsEnded) - sync | 0) >= 0;
  }

  /** Has `thread` among {@link SharedState.takeSyncAwaiters} when a sync ends. */
  awaitSyncEnd(thread: number): void {
    Atomics.or(this.#fields, Field.SyncAwaiters, 1 << thread);
  }

  /** The threads, as bits, that want to be woken up because a sync has ended. */
  takeSyncAwaiters(): number {
    return Atomics.exchange(this.#fields, Field.SyncAwaiters, 0);
  }

  /** Waits while a sync is under way. */
  waitForSyncEnd(): void {
    const ended = Atomics.load(this.#fields, Field.SyncsEnded);
    if (Atomics.load(this.#fields, Field.SyncsBegun) === ended) return;
    Atomics.wait(this.#fields, Field.SyncsEnded, ended);
  }

  /** How often worker threads have taken notice of the image's size, all of them together. */
  get sizesTaken(): number {
    return Atomics.load(this.#fields, Field.SizesTaken);
  }

  addSizeTaken(): void {
    Atomics.add(this.#fields, Field.SizesTaken, 1);
  }

  /** Says that a thread serves nobody any more. */
  addFailedThread(thread: number): void {
    Atomics.or(this.#fields, Field.FailedThreads, 1 << thread);
  }

  /** The threads, as bits, that have failed since this was asked last. */
  takeFailedThreads(): number {
    return Atomics.exchange(this.#fields, Field.FailedThreads, 0);
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
