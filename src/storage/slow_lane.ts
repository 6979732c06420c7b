/**
 * System calls that may wait for a disk, made by glibc's POSIX AIO threads, so that the request
 * loop never waits itself. It needs neither io_uring (often forbidden) nor a JavaScript thread
 * (20 MB each).
 *
 * Reads go nowhere: they only bring a range of a file into the page cache, after which the request
 * that missed it is run again. So a request that waits needs no buffer of its own.
 *
 * The end of a task is only ever told in {@link SlowLane.reap}, never within the call that asks for it:
 * who asks may not be ready for the answer yet. A call that cannot be started, for want of a thread or
 * of memory, has not failed: it is tried again when another one has ended. If none is under way, this
 * thread makes it itself, and waits.
 *
 * @module
 */
import { EINTR, EIO } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import type { Libc } from "../sys/libc_symbols.ts";
import { IoBuffer } from "../sys/memory.ts";
import { type AioCalls, AioSlot, type HasFd, type SlowTask, type Transfer } from "./aio_slot.ts";

export type { HasFd, SlowTask };

/** How many calls can be under way at once. */
const SLOTS = 16;
/** The most one read asks for, in bytes; longer ranges are read by several retries. */
export const SLOW_READ_MAX_BYTES = 4 * 1024 * 1024;
const IDLE_THREAD_SECONDS = 2;

/** What is to be written, and where; the memory is the caller's, and stays as it is until it is done. */
export interface SlowWrite extends Transfer {
  readonly file: HasFd;
}

/** What is asked for. */
interface SlowCall {
  readonly kind: "read" | "write" | "sync";
  readonly file: HasFd;
  readonly task: SlowTask;
  /** What a read or a write moves. */
  readonly transfer: Transfer;
}

/** The functions of the C library that a lane needs. */
export type SlowCalls = AioCalls & Pick<Libc, "aio_init" | "pread" | "pwrite" | "fdatasync">;

const NOTHING: Transfer = { address: 0, lengthBytes: 0, hostOffset: 0 };

/** Where all reads go: their bytes are of no use, so all slots may write over each other. */
let sink: IoBuffer | undefined;

/** Slow calls of one thread. Any number can be asked for; a few are under way at once. */
export class SlowLane implements Disposable {
  readonly #calls: SlowCalls;
  readonly #slots: AioSlot<SlowCall>[] = [];
  /** Calls that have not been started. */
  readonly #postponed: SlowCall[] = [];
  readonly #sink: IoBuffer;
  readonly #signal: number;
  #underWay = 0;

  /** @param signal what completions raise, blocked in every thread; 0 to be asked by polling */
  constructor(signal: number, calls: SlowCalls = libc()) {
    this.#signal = signal;
    this.#calls = calls;
    this.#sink = sink ??= new IoBuffer(SLOW_READ_MAX_BYTES);
  }

  /** Whether some task has not been told. */
  get busy(): boolean {
    return this.#underWay > 0 || this.#postponed.length > 0;
  }

  /** Whether {@link SlowLane.reap} has something to do that no signal will tell of. */
  get needsReaping(): boolean {
    return this.#underWay === 0 && this.#postponed.length > 0;
  }

  /** Has a range of `file` brought into the page cache. */
  read(file: HasFd, hostOffset: number, lengthBytes: number, task: SlowTask): void {
    const count = Math.min(lengthBytes, SLOW_READ_MAX_BYTES);
    const transfer = { address: this.#sink.address, lengthBytes: count, hostOffset };
    this.#ask({ kind: "read", file, task, transfer });
  }

  /** Has all of something written. */
  write({ file, ...transfer }: SlowWrite, task: SlowTask): void {
    this.#ask({ kind: "write", file, task, transfer });
  }

  /** Has everything written to `file` so far made durable (fdatasync). */
  sync(file: HasFd, task: SlowTask): void {
    this.#ask({ kind: "sync", file, task, transfer: NOTHING });
  }

  /** Tells the tasks whose calls have finished. */
  reap(): void {
    for (const slot of this.#slots) {
      const { call } = slot;
      if (call === undefined || !slot.isDone) continue;
      const { errno } = slot;
      const count = errno === 0 ? slot.count : 0;
      this.#free(slot);
      this.#finish(call, errno, count);
    }
    while (this.#underWay < SLOTS) {
      const next = this.#postponed.shift();
      if (next === undefined) return;
      if (this.#start(next)) continue;
      if (this.#underWay > 0) {
        // When one of those has ended, there may be room for it.
        this.#postponed.unshift(next);
        return;
      }
      // Only one in a turn: others are to be served, too.
      return this.#makeHere(next);
    }
  }

  /** @param count what the call has returned, if it has succeeded */
  #finish(call: SlowCall, errno: number, count: number): void {
    const { kind, task, transfer } = call;
    const isShort = kind === "write" && errno === 0 && count < transfer.lengthBytes;
    if (!isShort) task.finished(errno);
    // Nothing at all is written where it never will be.
    else if (count === 0) task.finished(EIO);
    else this.#ask({ ...call, transfer: rest(transfer, count) });
  }

  #ask(call: SlowCall): void {
    const mayStart = this.#underWay < SLOTS && this.#postponed.length === 0;
    if (!mayStart || !this.#start(call)) this.#postponed.push(call);
  }

  /** False if it could not be started. */
  #start(call: SlowCall): boolean {
    const slot = this.#freeSlot(call.file);
    slot.call = call;
    this.#underWay++;
    const isStarted = slot.start(call, this.#signal);
    if (!isStarted) this.#free(slot);
    return isStarted;
  }

  /** Makes a call in this thread, waiting for it. */
  #makeHere(call: SlowCall): void {
    for (;;) {
      const count = this.#callHere(call);
      const errno = count < 0 ? lastErrno() : 0;
      // The kernel tells of a write that failed once only: a sync is not tried again.
      if (errno !== EINTR || call.kind === "sync") return this.#finish(call, errno, count);
    }
  }

  #callHere({ kind, file: { fd }, transfer }: SlowCall): number {
    const { address, lengthBytes, hostOffset } = transfer;
    switch (kind) {
      case "read":
        return this.#calls.pread(fd, address, lengthBytes, hostOffset);
      case "write":
        return this.#calls.pwrite(fd, address, lengthBytes, hostOffset);
      case "sync":
        return this.#calls.fdatasync(fd);
    }
  }

  #free(slot: AioSlot<SlowCall>): void {
    slot.call = undefined;
    this.#underWay--;
  }

  #freeSlot(file: HasFd): AioSlot<SlowCall> {
    const free = this.#slots.filter((slot) => slot.call === undefined);
    const fitting = free.find((slot) => slot.file === file);
    if (fitting !== undefined) return fitting;
    if (this.#slots.length === 0) this.#limitThreads();
    if (this.#slots.length === SLOTS && free[0] !== undefined) return free[0];
    const slot = new AioSlot<SlowCall>(this.#calls);
    this.#slots.push(slot);
    return slot;
  }

  // struct aioinit, aio.h: int aio_threads, aio_num, (4 unused), aio_idle_time at 24, (1 unused)
  #limitThreads(): void {
    const init = new Int32Array(8);
    init[0] = SLOTS;
    init[1] = SLOTS * 4;
    init[6] = IDLE_THREAD_SECONDS;
    this.#calls.aio_init(new Uint8Array(init.buffer));
  }

  [Symbol.dispose](): void {
    for (const slot of this.#slots) slot.release();
    this.#slots.length = 0;
  }
}

/** What is left when `count` bytes have been moved. */
function rest({ address, lengthBytes, hostOffset }: Transfer, count: number): Transfer {
  return {
    address: address + count,
    lengthBytes: lengthBytes - count,
    hostOffset: hostOffset + count,
  };
}
