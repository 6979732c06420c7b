/**
 * The declarations of the libc functions this program calls, and the types that follow from them.
 *
 * Addresses are `usize` and offsets `i64`, so that plain numbers (up to 2^53) can be passed without
 * a pointer object or a bigint (hot_calls.ts says at what price). Byte counts are `u32`, which calling
 * conventions extend with zeros, and come back as `i32`: no call here asks for 2 GiB at once.
 *
 * @module
 */
import { PROCESS_SYMBOLS } from "./process_symbols.ts";

export const SYMBOLS = {
  ...PROCESS_SYMBOLS,

  __errno_location: { parameters: [], result: "usize" },
  strerror: { parameters: ["i32" /* int errnum */], result: "pointer" },

  open: {
    parameters: ["buffer", /* const char *path */ "i32", /* int flags */ "u32" /* mode_t mode */],
    result: "i32",
  },
  openat: {
    parameters: ["i32", /* int dirfd */ "buffer", /* path */ "i32", /* flags */ "u32" /* mode */],
    result: "i32",
  },
  close: { parameters: ["i32" /* int fd */], result: "i32" },
  dup2: { parameters: ["i32", /* int oldfd */ "i32" /* int newfd */], result: "i32" },
  fcntl: {
    parameters: ["i32", /* int fd */ "i32", /* int cmd */ "usize" /* arg */],
    result: "i32",
  },
  ioctl: {
    parameters: ["i32", /* int fd */ "usize", /* unsigned long request */ "usize" /* arg */],
    result: "i32",
  },
  read: {
    parameters: ["i32", /* int fd */ "usize", /* void *buf */ "u32" /* size_t count */],
    result: "i32",
  },
  write: {
    parameters: ["i32", /* int fd */ "usize", /* const void *buf */ "u32" /* size_t count */],
    result: "i32",
  },
  pread: {
    parameters: ["i32", /* int fd */ "usize", /* void *buf */ "u32", /* count */ "i64" /* off */],
    result: "i32",
  },
  pwrite: {
    parameters: [
      "i32", /* int fd */
      "usize", /* const void * */
      "u32", /* count */
      "i64", /* off */
    ],
    result: "i32",
  },
  preadv2: {
    parameters: [
      "i32", /* int fd */
      "usize", /* const struct iovec *iov */
      "i32", /* int iovcnt */
      "i64", /* off_t offset */
      "i32", /* int flags */
    ],
    result: "i32",
  },
  posix_fadvise: {
    parameters: [
      "i32", /* int fd */
      "i64", /* off_t offset */
      "i64", /* off_t len */
      "i32", /* int advice */
    ],
    result: "i32",
  },
  lseek: {
    parameters: ["i32", /* int fd */ "i64", /* off_t offset */ "i32" /* int whence */],
    result: "i64",
  },
  fallocate: {
    parameters: ["i32", /* int fd */ "i32", /* int mode */ "i64", /* offset */ "i64" /* len */],
    result: "i32",
  },
  ftruncate: { parameters: ["i32", /* int fd */ "i64" /* off_t length */], result: "i32" },
  fsync: { parameters: ["i32" /* int fd */], result: "i32" },
  fdatasync: { parameters: ["i32" /* int fd */], result: "i32" },
  sync_file_range: {
    parameters: ["i32", /* int fd */ "i64", /* off64_t */ "i64", /* off64_t */ "u32" /* flags */],
    result: "i32",
  },
  statfs: {
    parameters: ["buffer", /* const char *path */ "buffer" /* struct statfs * */],
    result: "i32",
  },
  fstatfs: { parameters: ["i32", /* int fd */ "buffer" /* struct statfs * */], result: "i32" },
  statx: {
    parameters: [
      "i32", /* int dirfd */
      "buffer", /* const char *path */
      "i32", /* int flags */
      "u32", /* unsigned int mask */
      "buffer", /* struct statx * */
    ],
    result: "i32",
  },
  readlink: {
    parameters: ["buffer", /* const char *path */ "buffer", /* char *buf */ "usize" /* size_t */],
    result: "i32",
  },
  realpath: {
    parameters: ["buffer", /* const char *path */ "buffer" /* char *resolved, PATH_MAX */],
    result: "usize",
  },
  mkdir: { parameters: ["buffer", /* const char *path */ "u32" /* mode_t */], result: "i32" },
  rmdir: { parameters: ["buffer" /* const char *path */], result: "i32" },
  symlink: { parameters: ["buffer", /* target */ "buffer" /* path */], result: "i32" },
  unlink: { parameters: ["buffer" /* const char *path */], result: "i32" },
  rename: { parameters: ["buffer", /* old */ "buffer" /* new */], result: "i32" },
  linkat: {
    parameters: [
      "i32", // int olddirfd
      "buffer", // const char *oldpath
      "i32", // int newdirfd
      "buffer", // const char *newpath
      "i32", // int flags
    ],
    result: "i32",
  },
  opendir: { parameters: ["buffer" /* const char *path */], result: "usize" },
  readdir: { parameters: ["usize" /* DIR * */], result: "pointer" },
  closedir: { parameters: ["usize" /* DIR * */], result: "i32" },

  pipe2: { parameters: ["buffer", /* int fds[2] */ "i32" /* int flags */], result: "i32" },
  socketpair: {
    parameters: ["i32", /* domain */ "i32", /* type */ "i32", /* protocol */ "buffer" /* int[2] */],
    result: "i32",
  },
  socket: {
    parameters: ["i32", /* domain */ "i32", /* type */ "i32" /* protocol */],
    result: "i32",
  },
  bind: { parameters: ["i32", /* fd */ "buffer", /* sockaddr * */ "u32" /* len */], result: "i32" },
  connect: {
    parameters: ["i32", /* fd */ "buffer", /* sockaddr * */ "u32" /* len */],
    result: "i32",
  },
  listen: { parameters: ["i32", /* fd */ "i32" /* backlog */], result: "i32" },
  accept4: {
    parameters: ["i32", /* fd */ "usize", /* sockaddr * */ "usize", /* len * */ "i32" /* flags */],
    result: "i32",
  },
  recv: {
    parameters: ["i32", /* fd */ "usize", /* void *buf */ "u32", /* len */ "i32" /* flags */],
    result: "i32",
  },
  send: {
    parameters: [
      "i32", /* fd */
      "usize", /* const void *buf */
      "u32", /* len */
      "i32", /* flags */
    ],
    result: "i32",
  },
  sendmsg: {
    parameters: ["i32", /* fd */ "usize", /* const struct msghdr * */ "i32" /* flags */],
    result: "i32",
  },
  recvmsg: {
    parameters: ["i32", /* fd */ "usize", /* struct msghdr * */ "i32" /* flags */],
    result: "i32",
  },
  getsockopt: {
    parameters: [
      "i32",
      /* fd */ "i32",
      /* level */ "i32",
      /* name */ "buffer",
      "buffer", /* len * */
    ],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", /* fd */ "i32", /* level */ "i32", /* name */ "buffer", "u32" /* len */],
    result: "i32",
  },

  poll: { parameters: ["usize", /* pollfd * */ "u32", /* nfds */ "i32" /* ms */], result: "i32" },
  newlocale: {
    parameters: ["i32", /* int mask */ "buffer", /* const char *locale */ "usize" /* base */],
    result: "usize",
  },
  nl_langinfo_l: { parameters: ["i32", /* nl_item */ "usize" /* locale_t */], result: "pointer" },
  freelocale: { parameters: ["usize" /* locale_t */], result: "void" },

  aio_init: { parameters: ["buffer" /* const struct aioinit * */], result: "void" },
  aio_read: { parameters: ["usize" /* struct aiocb * */], result: "i32" },
  aio_write: { parameters: ["usize" /* struct aiocb * */], result: "i32" },
  aio_fsync: { parameters: ["i32", /* op */ "usize" /* struct aiocb * */], result: "i32" },
  aio_return: { parameters: ["usize" /* struct aiocb * */], result: "i32" },

  syscall: {
    parameters: ["i64", /* long number */ "i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i64",
  },
  timerfd_create: { parameters: ["i32", /* int clockid */ "i32" /* int flags */], result: "i32" },
  timerfd_settime: {
    parameters: [
      "i32", /* int fd */
      "i32", /* int flags */
      "buffer", /* const struct itimerspec *new_value */
      "buffer", /* struct itimerspec *old_value */
    ],
    result: "i32",
  },
  madvise: {
    parameters: ["usize", /* void *addr */ "u32", /* size_t length */ "i32" /* int advice */],
    result: "i32",
  },
  mlock: { parameters: ["usize", /* const void *addr */ "usize" /* size_t len */], result: "i32" },
  shutdown: { parameters: ["i32", /* int sockfd */ "i32" /* int how */], result: "i32" },
  memfd_create: { parameters: ["buffer", /* const char *name */ "u32" /* flags */], result: "i32" },
  mmap: {
    parameters: [
      "usize", /* void *addr */
      "usize", /* size_t length */
      "i32", /* int prot */
      "i32", /* int flags */
      "i32", /* int fd */
      "i64", /* off_t offset */
    ],
    result: "usize",
  },
  mprotect: {
    parameters: ["usize", /* void *addr */ "usize", /* size_t len */ "i32" /* int prot */],
    result: "i32",
  },
  munmap: { parameters: ["usize", /* void *addr */ "usize" /* size_t length */], result: "i32" },
  malloc_trim: { parameters: ["usize" /* size_t pad */], result: "i32" },
  mallopt: { parameters: ["i32", /* int param */ "i32" /* int value */], result: "i32" },
  memcmp: { parameters: ["usize", /* s1 */ "usize", /* s2 */ "u32" /* n */], result: "i32" },
  memcpy: { parameters: ["usize", /* dest */ "usize", /* src */ "u32" /* n */], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

export type Symbols = typeof SYMBOLS;
type Argument<T, Word> = T extends "buffer" ? Uint8Array<ArrayBuffer> | null
  : T extends "usize" | "i64" ? Word
  : number;
type Arguments<P extends readonly unknown[], Word> = {
  -readonly [I in keyof P]: Argument<P[I], Word>;
};
type Result<T> = T extends "pointer" ? Deno.PointerValue
  : T extends "usize" | "i64" ? bigint
  : T extends "void" ? void
  : number;

/** The libc functions, whose 64-bit parameters take a `Word`. */
export type Calls<Word> = {
  readonly [K in keyof Symbols]: (
    ...args: Arguments<Symbols[K]["parameters"], Word>
  ) => Result<Symbols[K]["result"]>;
};

/** The libc functions, typed for what is passed here: numbers for offsets and addresses. */
export type Libc = Calls<number>;
