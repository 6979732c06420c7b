/**
 * One call at a time by glibc's POSIX AIO threads: its control block, and a descriptor of its own, for
 * glibc serves each descriptor by one thread at a time, in the order of the calls.
 *
 * @module
 */
import type { Libc } from "../sys/libc_symbols.ts";
import { IoBuffer, setUint64 } from "../sys/memory.ts";

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

/** The functions of the C library that a slot needs. */
export type AioCalls = Pick<
  Libc,
  "aio_read" | "aio_write" | "aio_fsync" | "aio_return" | "fcntl" | "close"
>;

/** A range of a file, and the memory where its bytes go to or come from. */
export interface Transfer {
  readonly address: number;
  readonly lengthBytes: number;
  readonly hostOffset: number;
}

/** A call as a slot makes it. */
export interface AioCall {
  readonly kind: "read" | "write" | "sync";
  readonly file: HasFd;
  /** What a read or a write moves. */
  readonly transfer: Transfer;
}

class ControlBlock {
  readonly #memory = new IoBuffer(AIOCB.size);
  readonly #fields = new Int32Array(this.#memory.bytes.buffer);

  get address(): number {
    return this.#memory.address;
  }

  get errno(): number {
    return Atomics.load(this.#fields, AIOCB.errorCode / 4);
  }

  /** @param signal what is raised at the end; 0 for nothing */
  prepare(fd: number, signal: number, transfer?: Transfer): void {
    const { view } = this.#memory;
    view.setInt32(AIOCB.fildes, fd, true);
    view.setInt32(AIOCB.sigevSigno, signal, true);
    view.setInt32(AIOCB.sigevNotify, signal > 0 ? SIGEV_SIGNAL : SIGEV_NONE, true);
    if (transfer === undefined) return;
    setUint64(view, AIOCB.buf, transfer.address);
    setUint64(view, AIOCB.nbytes, transfer.lengthBytes);
    setUint64(view, AIOCB.offset, transfer.hostOffset);
  }
}

/** A place for one call at a time; `Call` is what its user knows of the one under way. */
export class AioSlot<Call> {
  call: Call | undefined = undefined;
  /** What {@link AioSlot.#ownFd} is a duplicate for. */
  file: HasFd | undefined = undefined;
  #ownFd = -1;
  readonly #calls: AioCalls;
  readonly #control = new ControlBlock();
  /** A read of nothing behind a call, which raises the signal for that. */
  #bell: ControlBlock | undefined;

  constructor(calls: AioCalls) {
    this.#calls = calls;
  }

  get isDone(): boolean {
    return this.errno !== EINPROGRESS && this.#bell?.errno !== EINPROGRESS;
  }

  get errno(): number {
    return this.#control.errno;
  }

  /** What a call that has succeeded returned: the bytes of a read or write. */
  get count(): number {
    return this.#calls.aio_return(this.#control.address);
  }

  /**
   * Where the signal for a call cannot be queued (RLIMIT_SIGPENDING), glibc says that it has failed,
   * whatever came of it. For a read, which is only tried again, that is no harm; what came of a sync or
   * a write must not be lost: another call has the signal.
   *
   * @param signal what is raised when it is done; 0 for none
   * @returns false if it could not be started
   */
  start({ kind, file, transfer }: AioCall, signal: number): boolean {
    const fd = this.#fdFor(file);
    this.#control.prepare(fd, kind === "read" ? signal : 0, transfer);
    if (this.#begin(kind) !== 0) return false;
    if (kind !== "read" && signal > 0) this.#ringBehind(fd, signal);
    return true;
  }

  #begin(kind: AioCall["kind"]): number {
    const { address } = this.#control;
    switch (kind) {
      case "read":
        return this.#calls.aio_read(address);
      case "write":
        return this.#calls.aio_write(address);
      case "sync":
        return this.#calls.aio_fsync(O_DSYNC, address);
    }
  }

  #ringBehind(fd: number, signal: number): void {
    this.#bell ??= new ControlBlock();
    this.#bell.prepare(fd, signal);
    // Without it, the end is noticed all the same, only later.
    this.#calls.aio_read(this.#bell.address);
  }

  /** Where no duplicate can be had, the file's own descriptor has to do: it is only slower. */
  #fdFor(file: HasFd): number {
    if (this.file !== file) {
      this.release();
      this.#ownFd = this.#calls.fcntl(file.fd, F_DUPFD_CLOEXEC, 3);
      if (this.#ownFd >= 0) this.file = file;
    }
    return this.#ownFd >= 0 ? this.#ownFd : file.fd;
  }

  /** Closes the duplicate. */
  release(): void {
    if (this.#ownFd >= 0) this.#calls.close(this.#ownFd);
    this.#ownFd = -1;
    this.file = undefined;
  }
}
