/**
 * What the kernel says of file systems: statfs(2).
 *
 * @module
 */
import { libc } from "./libc.ts";
import { cString, uint64 } from "./memory.ts";

// linux/magic.h
export const TMPFS_MAGIC = 0x01021994;
export const RAMFS_MAGIC = 0x858458f6;
export const NFS_SUPER_MAGIC = 0x6969;
export const SYSFS_MAGIC = 0x62656572;

/** struct statfs of 64-bit machines (asm-generic/statfs.h): offsets in bytes. */
const STATFS = { type: 0, blockBytes: 8, availableBlocks: 32, size: 120 } as const;

/** A file system as it is now. */
export interface FileSystem {
  /** Its magic number. */
  readonly type: number;
  /** How many bytes it has room for, if one is not the superuser. */
  readonly roomBytes: number;
}

/** The file system of an open file; undefined where it does not say. */
export function fileSystemOf(fd: number): FileSystem | undefined {
  const statfs = new Uint8Array(STATFS.size);
  return libc().fstatfs(fd, statfs) === 0 ? decode(statfs) : undefined;
}

/** The file system at `path`; undefined where nothing is there. */
export function fileSystemAt(path: string): FileSystem | undefined {
  const statfs = new Uint8Array(STATFS.size);
  return libc().statfs(cString(path), statfs) === 0 ? decode(statfs) : undefined;
}

function decode({ buffer }: Uint8Array<ArrayBuffer>): FileSystem {
  const view = new DataView(buffer);
  return {
    type: view.getUint32(STATFS.type, true),
    roomBytes: uint64(view, STATFS.blockBytes) * uint64(view, STATFS.availableBlocks),
  };
}
