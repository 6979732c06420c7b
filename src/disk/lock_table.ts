/**
 * The locks of all open files, as /proc/locks lists them (fs/locks.c, `lock_get_status`): of a lock that
 * is in the way, fcntl(2) tells neither whose it is nor how many there are.
 *
 * @module
 */
import { type FileStatus, readTextIfAny } from "../sys/files.ts";

/** Locks on one file. */
export class LockTable {
  readonly #ranges: readonly LockRange[];

  constructor(ranges: readonly LockRange[]) {
    this.#ranges = ranges;
  }

  /** What there is now; none where /proc does not tell. */
  static of(file: FileStatus): LockTable {
    const all = parseLocks(readTextIfAny("/proc/locks") ?? "")
      .filter(({ inode }) => inode === file.exactInode);
    // On some file systems (btrfs, overlayfs) files have another device number than their locks.
    const exact = all.filter(({ major, minor }) =>
      major === file.deviceMajor && minor === file.deviceMinor
    );
    return new LockTable(exact.length > 0 ? exact : all);
  }

  /** How many open files have a lock on the byte. */
  count(byte: number): number {
    return this.#ranges.filter(({ first, last }) => first <= byte && byte <= last).length;
  }
}

/** A line: which bytes of which file are locked. */
export interface LockRange {
  readonly major: number;
  readonly minor: number;
  readonly inode: bigint;
  readonly first: number;
  readonly last: number;
}

/** `1: OFDLCK ADVISORY  READ -1 fe:00:393231 100 101`; those that wait for others have `->`, and count not. */
const LINE = /^\d+: .* ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

export function parseLocks(text: string): LockRange[] {
  return text.split("\n").flatMap((line): LockRange[] => {
    const match = line.includes("->") ? null : LINE.exec(line);
    if (match === null) return [];
    const [, major = "", minor = "", inode = "", first = "", last = ""] = match;
    return [{
      major: parseInt(major, 16),
      minor: parseInt(minor, 16),
      inode: BigInt(inode),
      first: Number(first),
      last: last === "EOF" ? Infinity : Number(last),
    }];
  });
}
