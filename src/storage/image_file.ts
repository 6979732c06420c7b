/**
 * A file that holds (a part of) an image, or a block device that does.
 *
 * @module
 */
import { EAGAIN, EFBIG, EINTR, EIO, ENXIO, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { fileSystemOf, NFS_SUPER_MAGIC, RAMFS_MAGIC, TMPFS_MAGIC } from "../sys/file_systems.ts";
import {
  type Fd,
  type FileStatus,
  type LentFd,
  openFileStatus,
  seekableSize,
} from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import type { Libc } from "../sys/libc_symbols.ts";
import { IoBuffer, setUint64 } from "../sys/memory.ts";

/** linux/fs.h: fail with EAGAIN instead of waiting for a disk. */
const RWF_NOWAIT = 0x8;

/** These are memory, so that reading them never waits. */
const MEMORY_FILE_SYSTEMS: readonly number[] = [TMPFS_MAGIC, RAMFS_MAGIC];

const VECTOR_BYTES = 16;

/** linux/fadvise.h: have the kernel begin to read a range, without waiting for it. */
const POSIX_FADV_WILLNEED = 3;
/** Beginning to read this much takes no time worth mentioning. */
const MAX_HINT_BYTES = 256 * 1024;

// linux/fs.h
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * How a file tells what is in the page cache:
 * - `asks`: reads can be made to fail rather than wait (RWF_NOWAIT),
 * - `memory`: all of it always is,
 * - `unknown`: it cannot say (NFS, FUSE): any read may wait.
 */
export type CacheKnowledge = "asks" | "memory" | "unknown";

export interface FileOptions {
  /** The size to go by, if it is not the one the file has now. */
  readonly sizeBytes?: number;
  /** The functions of the C library that it is used with. */
  readonly calls?: Libc;
}

/** An open file descriptor with the reads and writes that drivers and image access need. */
export class ImageFile implements Disposable {
  readonly path: string;
  readonly fd: number;
  readonly status: FileStatus;
  #sizeBytes: number;
  readonly cacheKnowledge: CacheKnowledge;
  /**
   * Whether a write that fails may do so because an earlier one was lost. A sync is not told of that
   * any more then (nfs_file_write(), fs/nfs/file.c of Linux 5.19 and later).
   */
  readonly tellsWritesOfEarlierOnes: boolean;
  /** Whether what is written to it need not outlive the process: see {@link TemporaryFile}. */
  readonly isTemporary: boolean = false;
  /** Whether nobody wants it back after a crash of the machine, so that nothing has to be durable. */
  readonly isVolatile: boolean = false;
  #hasUnsynced = false;
  #hasLost = false;
  readonly #descriptor: Fd | LentFd;
  readonly #libc: Libc;
  /** A struct iovec, and room for a byte behind it. */
  readonly #vector = new IoBuffer(VECTOR_BYTES + 1);

  /** @param descriptor closed with this, unless it is lent */
  constructor(
    descriptor: Fd | LentFd,
    path: string,
    { sizeBytes, calls = libc() }: FileOptions = {},
  ) {
    this.#descriptor = descriptor;
    this.#libc = calls;
    this.path = path;
    this.fd = descriptor.number;
    this.status = openFileStatus(this.fd);
    this.#sizeBytes = sizeBytes ?? Number(seekableSize(this.fd, path));
    const fileSystem = fileSystemOf(this.fd)?.type ?? 0;
    this.cacheKnowledge = this.#findCacheKnowledge(fileSystem);
    this.tellsWritesOfEarlierOnes = fileSystem === NFS_SUPER_MAGIC;
  }

  /**
   * Reads `lengthBytes` from `hostOffset` on into `target` at `position`, waiting for the disk if need
   * be. What lies past the end of the file reads as zeros, as in qemu.
   *
   * @throws {SystemError} as pread(2)
   */
  read(target: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void {
    let done = 0;
    while (done < lengthBytes) {
      const at = target.address + position + done;
      const count = this.#libc.pread(this.fd, at, lengthBytes - done, hostOffset + done);
      if (count < 0) {
        if (lastErrno() === EINTR) continue;
        throw new SystemError("read", lastErrno(), this.path);
      }
      if (count === 0) {
        target.bytes.fill(0, position + done, position + lengthBytes);
        return;
      }
      done += count;
    }
  }

  /**
   * As {@link ImageFile.read}, but only what no disk has to be waited for.
   *
   * @returns how many bytes that was, from the start of the range on
   */
  readAtHand(target: IoBuffer, position: number, hostOffset: number, lengthBytes: number): number {
    if (this.cacheKnowledge === "unknown") return 0;
    if (this.cacheKnowledge === "asks") {
      const count = this.#readCached(target.address + position, hostOffset, lengthBytes);
      if (count === lengthBytes) return count;
      if (count < 0) return 0;
      if (hostOffset + count < this.sizeBytes) return count;
    }
    this.read(target, position, hostOffset, lengthBytes);
    return lengthBytes;
  }

  /**
   * Size in bytes when it was opened, {@link ImageFile.takeSize} or {@link ImageFile.refreshSize} was
   * called, or what writing here has made of it since. Exact if it is a safe integer.
   */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether both are the same file or device, by whatever names. */
  isSameAs({ identity }: ImageFile): boolean {
    return this.identity === identity;
  }

  /** What only this file or device has, whatever it is called; for other processes, too. */
  get identity(): string {
    return identityOf(this.status);
  }

  /**
   * Finds out what size the file has now.
   *
   * @throws {SystemError} as lseek(2); EFBIG if no offset near its end would be exact
   */
  refreshSize(): void {
    const sizeBytes = Number(this.exactSize());
    if (!Number.isSafeInteger(sizeBytes)) throw new SystemError("lseek", EFBIG, this.path);
    this.#sizeBytes = sizeBytes;
  }

  /** Goes by the size it has now, as when it was opened; throws as lseek(2). */
  takeSize(): void {
    this.#sizeBytes = Number(this.exactSize());
  }

  /** The size it has now, be it as large as it may; throws as lseek(2). */
  exactSize(): bigint {
    return seekableSize(this.fd, this.path);
  }

  #readCached(address: number, hostOffset: number, lengthBytes: number): number {
    setUint64(this.#vector.view, 0, address);
    this.#vector.view.setUint32(8, lengthBytes, true);
    return this.#libc.preadv2(this.fd, this.#vector.address, 1, hostOffset, RWF_NOWAIT);
  }

  /**
   * Has the kernel begin to bring a range into the page cache, where {@link ImageFile.isCached} can
   * be asked about it.
   *
   * @returns false if it has to be read to get there
   */
  hint(hostOffset: number, lengthBytes: number): boolean {
    if (this.cacheKnowledge !== "asks" || lengthBytes > MAX_HINT_BYTES) return false;
    return this.#libc.posix_fadvise(this.fd, hostOffset, lengthBytes, POSIX_FADV_WILLNEED) === 0;
  }

  /** Whether the last byte of a range is in the page cache, so that it is worth trying to read it. */
  isCached(hostOffset: number, lengthBytes: number): boolean {
    const last = hostOffset + lengthBytes - 1;
    return this.#readCached(this.#vector.address + VECTOR_BYTES, last, 1) >= 0 ||
      lastErrno() !== EAGAIN;
  }

  /**
   * Writes `lengthBytes` of `source` from `position` on to the file at `hostOffset`.
   *
   * @throws {SystemError} as pwrite(2), ENOSPC among them
   */
  write(source: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void {
    let done = 0;
    while (done < lengthBytes) {
      const from = source.address + position + done;
      const count = this.#libc.pwrite(this.fd, from, lengthBytes - done, hostOffset + done);
      if (count <= 0) {
        if (count < 0 && lastErrno() === EINTR) continue;
        const errno = count < 0 ? lastErrno() : EIO;
        if (done > 0) this.hasWritten(hostOffset, done);
        this.writeFailed(errno);
        throw new SystemError("write", errno, this.path);
      }
      done += count;
    }
    this.hasWritten(hostOffset, lengthBytes);
  }

  /** Says that a range has been written, by whomever: the file may have become longer by that. */
  hasWritten(hostOffset: number, lengthBytes: number): void {
    this.#hasUnsynced = true;
    this.#sizeBytes = Math.max(this.#sizeBytes, hostOffset + lengthBytes);
  }

  /** Says that a write has failed, made by whomever. */
  writeFailed(errno: number): void {
    // Whatever the number: it is the earlier one's, where writing went on failing.
    if (this.tellsWritesOfEarlierOnes && errno !== EINTR) this.#hasLost = true;
  }

  /** Says that a sync has failed, made by whomever. */
  syncFailed(): void {
    this.#hasLost = true;
  }

  /**
   * Whether something that has been written may never reach the disk. The kernel tells that only once:
   * it is so for good.
   */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /**
   * Makes the file so long: what it gets is a hole, what it loses is gone.
   *
   * @throws {SystemError} as ftruncate(2)
   */
  setSize(sizeBytes: number): void {
    while (this.#libc.ftruncate(this.fd, sizeBytes) !== 0) {
      if (lastErrno() !== EINTR) throw new SystemError("ftruncate", lastErrno(), this.path);
    }
    this.#hasUnsynced = true;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Makes all that has been written durable, waiting for it. It is never tried again: the kernel tells
   * of a write that failed once only.
   *
   * @throws {SystemError} as fdatasync(2)
   */
  sync(): void {
    if (this.#libc.fdatasync(this.fd) === 0) return;
    const errno = lastErrno();
    this.syncFailed();
    throw new SystemError("fdatasync", errno, this.path);
  }

  /** Whether something has been changed here since this was asked last. */
  takeUnsynced(): boolean {
    const hadUnsynced = this.#hasUnsynced;
    this.#hasUnsynced = false;
    return hadUnsynced;
  }

  /**
   * Says that up to `lengthBytes` more are about to be stored.
   *
   * @returns false if they are too many: it has a limit of its own
   */
  takeRoom(_lengthBytes: number): boolean {
    return true;
  }

  /** Whether it can get longer. */
  get canGrow(): boolean {
    return this.status.kind === "file";
  }

  /**
   * fallocate(2) with `mode` on a range.
   *
   * @returns false where the file system or device cannot do it
   * @throws {SystemError} for every other failure
   */
  allocate(mode: number, hostOffset: number, lengthBytes: number): boolean {
    for (;;) {
      if (this.#libc.fallocate(this.fd, mode, hostOffset, lengthBytes) === 0) {
        this.#hasUnsynced = true;
        return true;
      }
      const errno = lastErrno();
      if (errno === EOPNOTSUPP) return false;
      if (errno !== EINTR) throw new SystemError("fallocate", errno, this.path);
    }
  }

  /**
   * How many of the `lengthBytes` from `hostOffset` on are stored, or, as a negative number, are a
   * hole: not stored, and read as zeros. What cannot be told counts as stored: on devices, and on file
   * systems without holes.
   */
  storedBytes(hostOffset: number, lengthBytes: number): number {
    const data = Number(this.#libc.lseek(this.fd, hostOffset, SEEK_DATA));
    if (data < 0) {
      // ENXIO: no data up to the end of the file, or the offset lies behind it
      return lastErrno() === ENXIO ? -lengthBytes : lengthBytes;
    }
    if (data > hostOffset) return -Math.min(lengthBytes, data - hostOffset);
    const hole = Number(this.#libc.lseek(this.fd, hostOffset, SEEK_HOLE));
    return hole > hostOffset ? Math.min(lengthBytes, hole - hostOffset) : lengthBytes;
  }

  #findCacheKnowledge(fileSystem: number): CacheKnowledge {
    const probe = new IoBuffer(1);
    const count = this.#readCached(probe.address, 0, 1);
    if (count >= 0 || lastErrno() === EAGAIN) return "asks";
    return MEMORY_FILE_SYSTEMS.includes(fileSystem) ? "memory" : "unknown";
  }

  [Symbol.dispose](): void {
    this.#descriptor[Symbol.dispose]();
  }
}

/** As {@link ImageFile.identity}, of a file that need not be open. */
export function identityOf(status: FileStatus): string {
  const { kind, specialMajor, specialMinor, deviceMajor, deviceMinor, exactInode } = status;
  return kind === "block"
    ? `device ${specialMajor}:${specialMinor}`
    : `file ${exactInode} on ${deviceMajor}:${deviceMinor}`;
}

/** A file that another thread has open, for as long as the process lives. */
export interface SharedFile {
  readonly fd: number;
  readonly path: string;
  /** Size as it was known when the file was opened, or was asked for last. */
  readonly sizeBytes: number;
}
