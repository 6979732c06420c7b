/**
 * Numbers and layouts of the FUSE protocol (linux/fuse.h), version 7.31 to 7.36. All numbers are in
 * the machine's byte order: little-endian on x86-64 and arm64. Offsets are bytes from the start of
 * each structure.
 *
 * @module
 */

/** The version spoken; a kernel that is newer adapts, one that is older answers with its own. */
export const VERSION = { major: 7, minor: 36 } as const;

/** struct fuse_in_header: what every request begins with. */
export const IN_HEADER = {
  size: 40,
  length: 0,
  opcode: 4,
  unique: 8,
  nodeId: 16,
} as const;

/** struct fuse_out_header: what every reply begins with; the error is 0 or a negative errno. */
export const OUT_HEADER = { size: 16, length: 0, error: 4, unique: 8 } as const;

/** struct fuse_notify_inval_inode_out, in a message whose "error" is the notification's number. */
export const NOTIFY_INVAL_INODE = { code: 2, size: 24, inode: 0, offset: 8, length: 16 } as const;

/**
 * The notification by which the kernel hands out anew all requests that are not answered; it has nothing but
 * a header. Since Linux 6.9 (protocol 7.40, FUSE_NOTIFY_RESEND). In the identifier of a request that was
 * handed out before, the highest bit is set then; it goes back like all of it.
 */
export const NOTIFY_RESEND = 7;

export const Opcode = {
  Lookup: 1,
  Forget: 2,
  GetAttr: 3,
  Open: 14,
  Read: 15,
  Write: 16,
  StatFs: 17,
  Release: 18,
  Fsync: 20,
  Flush: 25,
  Init: 26,
  Access: 34,
  Interrupt: 36,
  Destroy: 38,
  BatchForget: 42,
  Fallocate: 43,
  Lseek: 46,
} as const;

/** Node of the file system's root. */
export const ROOT_NODE = 1;

/** struct fuse_init_in. */
export const INIT_IN = { major: 0, minor: 4, maxReadAhead: 8, flags: 12 } as const;
/** struct fuse_init_out. */
export const INIT_OUT = {
  size: 64,
  major: 0,
  minor: 4,
  maxReadAhead: 8,
  flags: 12,
  maxBackground: 16,
  congestionThreshold: 18,
  maxWrite: 20,
  timeGranularity: 24,
  maxPages: 28,
} as const;
/** FUSE_* bits of the init flags. */
export const InitFlag = {
  AsyncRead: 1 << 0,
  BigWrites: 1 << 5,
  AsyncDio: 1 << 15,
  ParallelDirOps: 1 << 18,
  MaxPages: 1 << 22,
} as const;

/** struct fuse_attr. */
export const ATTR = {
  size: 88,
  inode: 0,
  bytes: 8,
  blocks: 16,
  mode: 60,
  links: 64,
  blockSize: 80,
} as const;
/** struct fuse_attr_out: how long the attributes hold, in seconds, and the attributes. */
export const ATTR_OUT = { size: 16 + ATTR.size, validSeconds: 0, attr: 16 } as const;
/** struct fuse_entry_out. */
export const ENTRY_OUT = {
  size: 40 + ATTR.size,
  nodeId: 0,
  entryValidSeconds: 16,
  attrValidSeconds: 24,
  attr: 40,
} as const;
/** struct fuse_open_in. */
export const OPEN_IN = { flags: 0 } as const;
/** struct fuse_open_out. */
export const OPEN_OUT = { size: 16, handle: 0, flags: 8 } as const;
/** FOPEN_* bits: go around the page cache, and let writes run side by side. */
export const OpenFlag = {
  DirectIo: 1 << 0,
  KeepCache: 1 << 1,
  ParallelDirectWrites: 1 << 6,
} as const;
/** struct fuse_read_in and fuse_write_in, whose data follows. */
export const IO_IN = { size: 40, offset: 8, length: 16 } as const;
/** struct fuse_write_out. */
export const WRITE_OUT = { size: 8, length: 0, padding: 4 } as const;
/** struct fuse_fallocate_in. */
export const FALLOCATE_IN = { size: 32, offset: 8, length: 16, mode: 24 } as const;
/** struct fuse_lseek_in and fuse_lseek_out. */
export const LSEEK_IN = { size: 24, offset: 8, whence: 16 } as const;
export const LSEEK_OUT = { size: 8, offset: 0 } as const;
/** struct fuse_statfs_out. */
export const STATFS_OUT = { size: 80, blockSize: 40, nameLength: 44, fragmentSize: 48 } as const;

/** falloc.h */
export const FallocateMode = { KeepSize: 1, PunchHole: 2, ZeroRange: 16 } as const;
export const Whence = { Data: 3, Hole: 4 } as const;

/** Largest read or write asked for, in bytes: 256 pages, what every kernel since 4.20 allows. */
export const MAX_IO_BYTES = 1024 * 1024;
/** Pages of a request at most. */
export const MAX_PAGES = 256;
