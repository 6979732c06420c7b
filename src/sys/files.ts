/**
 * Files, folders and links by system call. Deno's own file functions would need permissions for
 * every path an image may have, and all of them for /sys and /proc.
 *
 * @module
 */
import { Fd } from "./fd.ts";
import { O_PATH, openInPieces, PATH_MAX } from "./long_paths.ts";
import { checked, EINTR, ENOENT, ifPossible, SystemError } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { joined } from "./joined.ts";
import { addressOf, cString, IoBuffer } from "./memory.ts";
import { decodeText } from "./text.ts";

export { Fd, LentFd } from "./fd.ts";
export { O_PATH } from "./long_paths.ts";

// asm-generic/fcntl.h
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
// flags whose numbers are the architecture's own (asm/fcntl.h)
export const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;
export const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
/** A file without a name, in the folder that is opened. */
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

const F_GETFL = 3;
const O_ACCMODE = 3;
const F_SETFL = 4;
const SEEK_END = 2;
/** sysfs gives a page at most, and a listing reads many of them. */
const ATTRIBUTE_BYTES = 4096;

/**
 * Opens `path`, of whatever length, close-on-exec.
 *
 * @throws {SystemError} as open(2)
 */
export function openFile(path: string, flags: number, mode = 0o600): Fd {
  const bytes = cString(path);
  const how = flags | O_CLOEXEC;
  if (bytes.length > PATH_MAX) return openInPieces(path, { flags: how, mode });
  return new Fd(checked(libc().open(bytes, how, mode), "open", path));
}

/**
 * Has reads and writes fail with EAGAIN rather than wait.
 *
 * @throws {SystemError} as fcntl(2)
 */
export function setNonBlocking(fd: number): void {
  checked(libc().fcntl(fd, F_SETFL, flagsOf(fd) | O_NONBLOCK), "fcntl");
}

/** Has reads and writes wait, as they do unless something else was asked for. */
export function setBlocking(fd: number): void {
  checked(libc().fcntl(fd, F_SETFL, flagsOf(fd) & ~O_NONBLOCK), "fcntl");
}

/** Whether it was opened for writing, too. */
export function isWritable(fd: number): boolean {
  return (flagsOf(fd) & O_ACCMODE) !== O_RDONLY;
}

function flagsOf(fd: number): number {
  return checked(libc().fcntl(fd, F_GETFL, 0), "fcntl");
}

/** What statx(2) tells of a file. */
export interface FileStatus {
  readonly kind:
    | "file"
    | "directory"
    | "block"
    | "character"
    | "link"
    | "socket"
    | "fifo"
    | "other";
  readonly mode: number;
  readonly uid: number;
  /** Rounded where it takes more than 53 bits; to compare files there is `exactInode`. */
  readonly inode: number;
  readonly exactInode: bigint;
  readonly sizeBytes: number;
  /** Space the file system has given to it, in bytes. */
  readonly allocatedBytes: number;
  /** Device the file lies on, as major and minor number. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Device the file is, for block and character devices. */
  readonly specialMajor: number;
  readonly specialMinor: number;
}

// struct statx, linux/stat.h
const STATX = {
  size: 256,
  uid: 20,
  mode: 28,
  ino: 32,
  bytes: 40,
  blocks: 48,
  rdev: 128,
  dev: 136,
} as const;
/** What blocks are counted in, whatever the file system has (stat(2)). */
const STAT_BLOCK_BYTES = 512;
const STATX_BASIC_STATS = 0x7ff;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;

const KINDS: Readonly<Record<number, FileStatus["kind"]>> = {
  0o010000: "fifo",
  0o020000: "character",
  0o040000: "directory",
  0o060000: "block",
  0o100000: "file",
  0o120000: "link",
  0o140000: "socket",
};

/**
 * Status of the file `path` leads to, through symbolic links.
 *
 * @throws {SystemError} as statx(2)
 */
export function fileStatus(path: string): FileStatus {
  return statusOf(AT_FDCWD, path, 0);
}

/** Status of the link or file at `path` itself. */
export function linkStatus(path: string): FileStatus {
  return statusOf(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}

/** Status of the link or file at `path` itself, or undefined where there is none. */
export function linkStatusIfAny(path: string): FileStatus | undefined {
  return ifPossible(() => linkStatus(path));
}

/** Status of an open file. */
export function openFileStatus(fd: number): FileStatus {
  return statusOf(fd, "", AT_EMPTY_PATH);
}

function statusOf(fd: number, path: string, flags: number): FileStatus {
  const bytes = cString(path);
  if (bytes.length > PATH_MAX) return statusOfLong(path, flags);
  const raw = new Uint8Array(STATX.size);
  checked(libc().statx(fd, bytes, flags, STATX_BASIC_STATS, raw), "stat", path);
  const view = new DataView(raw.buffer);
  const mode = view.getUint16(STATX.mode, true);
  return {
    kind: KINDS[mode & 0o170000] ?? "other",
    mode: mode & 0o7777,
    uid: view.getUint32(STATX.uid, true),
    inode: Number(view.getBigUint64(STATX.ino, true)),
    exactInode: view.getBigUint64(STATX.ino, true),
    sizeBytes: Number(view.getBigUint64(STATX.bytes, true)),
    allocatedBytes: Number(view.getBigUint64(STATX.blocks, true)) * STAT_BLOCK_BYTES,
    deviceMajor: view.getUint32(STATX.dev, true),
    deviceMinor: view.getUint32(STATX.dev + 4, true),
    specialMajor: view.getUint32(STATX.rdev, true),
    specialMinor: view.getUint32(STATX.rdev + 4, true),
  };
}

function statusOfLong(path: string, flags: number): FileStatus {
  const noFollow = flags === AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
  using handle = openFile(path, O_PATH | noFollow);
  return openFileStatus(handle.number);
}

/** Status of `path`, or undefined where there is no such file. */
export function fileStatusIfAny(path: string): FileStatus | undefined {
  return ifPossible(() => fileStatus(path));
}

/** Whether anything lies at `path`. */
export function fileExists(path: string): boolean {
  return fileStatusIfAny(path) !== undefined;
}

/** Size in bytes of an open file or block device, found by seeking to its end. */
export function seekableSize(fd: number, path: string): bigint {
  const end = libc().lseek(fd, 0, SEEK_END);
  if (end < 0n) throw new SystemError("lseek", lastErrno(), path);
  return end;
}

/**
 * The whole content of a (small) file as text; works for /proc and /sys, whose files have no size.
 *
 * @throws {SystemError} as open(2) and read(2)
 */
export function readTextFile(path: string): string {
  using file = openFile(path, O_RDONLY);
  return readText(file.number, path);
}

/** Everything that can be read from `fd`, as text. */
export function readText(fd: number, path?: string): string {
  return new TextDecoder().decode(readBytes(fd, path === undefined ? {} : { path }));
}

/** What {@link readBytes} reads, for errors, and how much of it. */
interface Reading {
  readonly path?: string;
  readonly maxBytes?: number;
  /** How much is asked for at once. */
  readonly chunkBytes?: number;
}

/**
 * Everything that can be read from `fd`; nothing of it stays in memory elsewhere.
 *
 * @throws {SystemError} as read(2)
 * @throws {RangeError} if that is more than `maxBytes`
 */
export function readBytes(
  fd: number,
  { path, maxBytes = Infinity, chunkBytes = 64 * 1024 }: Reading,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const buffer = new IoBuffer(chunkBytes);
  let total = 0;
  for (;;) {
    const count = libc().read(fd, buffer.address, buffer.size);
    if (count < 0 && lastErrno() === EINTR) continue;
    if (checked(count, "read", path) === 0) break;
    total += count;
    if (total > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
    chunks.push(buffer.bytes.slice(0, count));
    buffer.bytes.fill(0, 0, count);
  }
  const whole = joined(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return whole;
}

/** What one read of `fd` brings, as text: what was written to a pipe at once, say; empty at its end. */
export function readSome(fd: number): string {
  const buffer = new IoBuffer(ATTRIBUTE_BYTES);
  const count = checked(libc().read(fd, buffer.address, buffer.size), "read");
  return new TextDecoder().decode(buffer.bytes.subarray(0, count));
}

/** The trimmed text of a file, or undefined where it cannot be read. */
export function readTextIfAny(path: string): string | undefined {
  return ifPossible(() => readTextFile(path).trim());
}

/**
 * What a sysfs attribute says, without the newline at its end; undefined where it cannot be read.
 * Bytes that are no text are kept, see `decodeText()`.
 */
export function readAttributeIfAny(path: string): string | undefined {
  // Most devices lack most attributes: an exception for each would take longer than all reading.
  const fd = libc().open(cString(path), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    using file = new Fd(fd);
    const text = decodeText(readBytes(file.number, { path, chunkBytes: ATTRIBUTE_BYTES }));
    return text.endsWith("\n") ? text.slice(0, -1) : text;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/** Writes all of `text` to `fd`. */
export function writeText(fd: number, text: string, path?: string): void {
  writeBytes(fd, new TextEncoder().encode(text), path);
}

/** Writes all of `bytes` to `fd`. */
export function writeBytes(fd: number, bytes: Uint8Array<ArrayBuffer>, path?: string): void {
  const address = addressOf(bytes);
  let at = 0;
  while (at < bytes.length) {
    const count = libc().write(fd, address + at, bytes.length - at);
    if (count < 0 && lastErrno() === EINTR) continue;
    at += checked(count, "write", path);
  }
}

/** Writes `text` to an existing file, as a sysfs or procfs attribute wants it: in one call. */
export function writeAttribute(path: string, text: string): void {
  using file = openFile(path, O_WRONLY);
  writeText(file.number, text, path);
}

/**
 * Puts `text` at `path` at once: readers see the old content or the new, never a part.
 *
 * @param mode of the file; what umask(2) masks, it has not
 * @throws {SystemError} as open(2), write(2) and rename(2)
 */
export function replaceFile(path: string, text: string, mode = 0o600): void {
  const temporary = `${path}.${libc().getpid()}.new`;
  try {
    using file = openFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
    writeText(file.number, text, temporary);
    checked(libc().rename(cString(temporary), cString(path)), "rename", path);
  } catch (error) {
    libc().unlink(cString(temporary));
    throw error;
  }
}

/** The process that writes, or wrote, the temporary file of {@link replaceFile} of this name. */
export function temporaryWriter(name: string): number | undefined {
  const digits = /\.(\d+)\.new$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Removes a file; one that is not there counts as removed. */
export function removeFile(path: string): void {
  const result = libc().unlink(cString(path));
  if (result < 0 && lastErrno() === ENOENT) return;
  checked(result, "unlink", path);
}
