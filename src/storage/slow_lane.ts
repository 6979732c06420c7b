/**
 * System calls that may wait for a disk, made by glibc's POSIX AIO threads, so that the request
 * loop never waits itself. It needs neither io_uring (often forbidden) nor a JavaScript thread
 * (20 MB each).
 *
 * Reads go nowhere: they only bring a range of a file into the page cache, after which the request
 * that missed it is run again. So a request that waits needs no buffer of its own.
 *
 * glibc serves one descriptor by one thread at a time; every slot therefore has its own duplicate.
 *
 * @module
 */
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer, setUint64 } from "../sys/memory.ts";

/** How many calls can be under way at once. */
const SLOTS = 16;
/** The most one read asks for, in bytes; longer ranges are read by several retries. */
export const SLOW_READ_MAX_BYTES = 4 * 1024 * 1024;
const IDLE_THREAD_SECONDS = 2;

// struct aiocb, aio.h on 64-bit glibc. After `sigevent` come private fields, of which the error
// code is where aio_error(3) looks.
const AIOCB = {
  size: 168,
  fildes: 0,
  buf: 16,
  nbytes: 24,
  sigevSigno: 40,
  sigevNotify: 44,
  errorCode: 112,
  offset: 128,
} as const;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const EINPROGRESS = 115;
const O_DSYNC = 0o10000;
const F_DUPFD_CLOEXEC = 1030;

/** Something with a file descriptor. */
export interface HasFd {
  readonly fd: number;
}

/** Something that waits for a slow call. */
export interface SlowTask {
  /** The call is done; `errno` is 0 if it succeeded. */
  finished(errno: number): void;
}

/** What is to be written, and where; the memory is the caller's, and stays as it is until it is done. */
export interface SlowWrite {
  readonly file: HasFd;
  readonly hostOffset: number;
  readonly address: number;
  readonly lengthBytes: number;
}

/** A call that waits for a free slot. */
type Postponed = () => void;

/** Where all reads go: their bytes are of no use, so all slots may write over each other. */
let sink: IoBuffer | undefined;

class Slot {
  readonly control = new IoBuffer(AIOCB.size);
  readonly #state = new Int32Array(this.control.bytes.buffer);
  task: SlowTask | undefined = undefined;
  /** If its call is a write. */
  writing: SlowWrite | undefined = undefined;
  /** What {@link Slot.ownFd} is a duplicate for. */
  file: HasFd | undefined = undefined;
  ownFd = -1;

  get errno(): number {
    return Atomics.load(this.#state, AIOCB.errorCode / 4);
  }
}

/** Slow calls of one thread. Any number can be asked for; a few are under way at once. */
export class SlowLane implements Disposable {
  readonly #libc = libc();
  readonly #slots: Slot[] = [];
  readonly #postponed: Postponed[] = [];
  readonly #signal: number;
  #underWay = 0;

  /** @param signal what completions raise, blocked in every thread; 0 to be asked by polling */
  constructor(signal: number) {
    this.#signal = signal;
  }

  /** Whether some call has not finished. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** Has a range of `file` brought into the page cache. */
  read(file: HasFd, hostOffset: number, lengthBytes: number, task: SlowTask): void {
    if (this.#underWay === SLOTS) {
      this.#postponed.push(() => this.read(file, hostOffset, lengthBytes, task));
      return;
    }
    sink ??= new IoBuffer(SLOW_READ_MAX_BYTES);
    const slot = this.#claim(file, task);
    const { view } = slot.control;
    setUint64(view, AIOCB.buf, sink.address);
    setUint64(view, AIOCB.nbytes, Math.min(lengthBytes, SLOW_READ_MAX_BYTES));
    setUint64(view, AIOCB.offset, hostOffset);
    this.#started(slot, this.#libc.aio_read(slot.control.address));
  }

  /** Has all of something written. */
  write(asked: SlowWrite, task: SlowTask): void {
    const { file, hostOffset, address, lengthBytes } = asked;
    if (this.#underWay === SLOTS) {
      this.#postponed.push(() => this.write(asked, task));
      return;
    }
    const slot = this.#claim(file, task);
    const { view } = slot.control;
    slot.writing = asked;
    setUint64(view, AIOCB.buf, address);
    setUint64(view, AIOCB.nbytes, lengthBytes);
    setUint64(view, AIOCB.offset, hostOffset);
    this.#started(slot, this.#libc.aio_write(slot.control.address));
  }

  /** What is left of a write that was cut short, as one: undefined if nothing is. */
  #restOf({ control, writing }: Slot): SlowWrite | undefined {
    if (writing === undefined) return undefined;
    const count = this.#libc.aio_return(control.address);
    const { hostOffset, address, lengthBytes } = writing;
    if (count >= lengthBytes) return undefined;
    return {
      ...writing,
      hostOffset: hostOffset + count,
      address: address + count,
      lengthBytes: lengthBytes - count,
    };
  }

  /** Has everything written to `file` so far made durable (fdatasync). */
  sync(file: HasFd, task: SlowTask): void {
    if (this.#underWay === SLOTS) {
      this.#postponed.push(() => this.sync(file, task));
      return;
    }
    const slot = this.#claim(file, task);
    this.#started(slot, this.#libc.aio_fsync(O_DSYNC, slot.control.address));
  }

  /** Tells the tasks whose calls have finished. */
  reap(): void {
    if (this.#underWay === 0) return;
    for (const slot of this.#slots) {
      if (slot.task === undefined || slot.errno === EINPROGRESS) continue;
      this.#finish(slot, slot.errno);
    }
    while (this.#underWay < SLOTS) {
      const next = this.#postponed.shift();
      if (next === undefined) return;
      next();
    }
  }

  #finish(slot: Slot, errno: number): void {
    const task = slot.task;
    const rest = errno === 0 ? this.#restOf(slot) : undefined;
    slot.task = undefined;
    slot.writing = undefined;
    this.#underWay--;
    if (task === undefined) return;
    if (rest === undefined) task.finished(errno);
    else this.write(rest, task);
  }

  #claim(file: HasFd, task: SlowTask): Slot {
    const slot = this.#freeSlot(file);
    if (slot.file !== file) this.#point(slot, file);
    slot.task = task;
    this.#underWay++;
    const { view } = slot.control;
    view.setInt32(AIOCB.fildes, slot.ownFd >= 0 ? slot.ownFd : file.fd, true);
    view.setInt32(AIOCB.sigevSigno, this.#signal, true);
    view.setInt32(AIOCB.sigevNotify, this.#signal > 0 ? SIGEV_SIGNAL : SIGEV_NONE, true);
    return slot;
  }

  /** Where no duplicate can be had, the file's own descriptor has to do: it is only slower. */
  #point(slot: Slot, file: HasFd): void {
    this.#release(slot);
    slot.ownFd = this.#libc.fcntl(file.fd, F_DUPFD_CLOEXEC, 3);
    slot.file = slot.ownFd >= 0 ? file : undefined;
  }

  #release(slot: Slot): void {
    if (slot.ownFd >= 0) this.#libc.close(slot.ownFd);
    slot.ownFd = -1;
    slot.file = undefined;
  }

  #freeSlot(file: HasFd): Slot {
    const free = this.#slots.filter((slot) => slot.task === undefined);
    const fitting = free.find((slot) => slot.file === file);
    if (fitting !== undefined) return fitting;
    if (this.#slots.length === 0) limitThreads();
    if (this.#slots.length === SLOTS && free[0] !== undefined) return free[0];
    const slot = new Slot();
    this.#slots.push(slot);
    return slot;
  }

  /** A call that could not even be started has failed. */
  #started(slot: Slot, result: number): void {
    if (result < 0) this.#finish(slot, lastErrno());
  }

  [Symbol.dispose](): void {
    for (const slot of this.#slots) this.#release(slot);
    this.#slots.length = 0;
  }
}

// struct aioinit, aio.h: int aio_threads, aio_num, (4 unused), aio_idle_time at 24, (1 unused)
function limitThreads(): void {
  const init = new Int32Array(8);
  init[0] = SLOTS;
  init[1] = SLOTS * 4;
  init[6] = IDLE_THREAD_SECONDS;
  libc().aio_init(new Uint8Array(init.buffer));
}
