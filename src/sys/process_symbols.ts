/**
 * The declarations of the libc functions that are about processes: signals, starting others, and what
 * a process sees of the file system. As in libc_symbols.ts.
 *
 * @module
 */

export const PROCESS_SYMBOLS = {
  signal: { parameters: ["i32", /* int signum */ "usize" /* handler */], result: "usize" },
  sigaction: {
    parameters: [
      "i32", /* int signum */
      "usize", /* const struct sigaction *act */
      "buffer", /* struct sigaction *oldact */
    ],
    result: "i32",
  },
  signalfd: {
    parameters: ["i32", /* fd or -1 */ "buffer", /* const sigset_t * */ "i32" /* flags */],
    result: "i32",
  },
  kill: { parameters: ["i32", /* pid */ "i32" /* sig */], result: "i32" },

  getpid: { parameters: [], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  umask: { parameters: ["u32" /* mode_t */], result: "u32" },
  usleep: { parameters: ["u32" /* microseconds */], result: "i32" },
  getenv: { parameters: ["buffer" /* const char *name */], result: "pointer" },
  prctl: {
    parameters: ["i32", /* option */ "usize", "usize", "usize", "usize"],
    result: "i32",
  },

  waitpid: {
    parameters: ["i32", /* pid */ "buffer", /* int * */ "i32" /* options */],
    result: "i32",
  },
  posix_spawn: {
    parameters: [
      "buffer", /* pid_t *pid */
      "buffer", /* const char *path */
      "buffer", /* const posix_spawn_file_actions_t * */
      "buffer", /* const posix_spawnattr_t * */
      "buffer", /* char *const argv[] */
      "usize", /* char *const envp[] */
    ],
    result: "i32",
  },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_adddup2: {
    parameters: ["buffer", "i32", /* fd */ "i32" /* newfd */],
    result: "i32",
  },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16" /* short flags */], result: "i32" },
  posix_spawnattr_setsigmask: { parameters: ["buffer", "buffer" /* sigset_t * */], result: "i32" },
  posix_spawnattr_setsigdefault: {
    parameters: ["buffer", "buffer" /* sigset_t * */],
    result: "i32",
  },

  getcwd: { parameters: ["buffer", /* char *buf */ "u32" /* size_t size */], result: "usize" },
  chdir: { parameters: ["buffer" /* const char *path */], result: "i32" },
  fchdir: { parameters: ["i32" /* int fd */], result: "i32" },
  chroot: { parameters: ["buffer" /* const char *path */], result: "i32" },
  unshare: { parameters: ["i32" /* int flags */], result: "i32" },
  mount: {
    parameters: [
      "buffer", /* const char *source */
      "buffer", /* const char *target */
      "buffer", /* const char *filesystemtype */
      "usize", /* unsigned long mountflags */
      "buffer", /* const void *data */
    ],
    result: "i32",
  },
  umount2: { parameters: ["buffer", /* target */ "i32" /* flags */], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
