/**
 * Numbers of system calls, for those that are made by number, and those that are refused (asm/unistd.h).
 *
 * @module
 */

/** On x86-64, and on arm64, where some older ones are missing. */
const NUMBERS = {
  // made here by number
  capget: [125, 90],
  capset: [126, 91],
  prctl: [157, 167],
  seccomp: [317, 277],
  tgkill: [234, 131],
  prlimit64: [302, 261],
  // what every request needs
  read: [0, 63],
  write: [1, 64],
  pread64: [17, 67],
  pwrite64: [18, 68],
  preadv2: [327, 286],
  pwritev2: [328, 287],
  recvfrom: [45, 207],
  sendto: [44, 206],
  recvmsg: [47, 212],
  sendmsg: [46, 211],
  poll: [7],
  ppoll: [271, 73],
  futex: [202, 98],
  // other programs and processes
  execve: [59, 221],
  execveat: [322, 281],
  fork: [57],
  vfork: [58],
  clone: [56, 220],
  clone3: [435, 435],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  kill: [62, 129],
  tkill: [200, 130],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  // namespaces and mounts
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  setns: [308, 268],
  unshare: [272, 97],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  // the whole system
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  syslog: [103, 116],
  vhangup: [153, 58],
  iopl: [172],
  ioperm: [173],
  // large and rarely used parts of the kernel
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  modify_ldt: [154],
  personality: [135, 92],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  // who one is
  setuid: [105, 146],
  setgid: [106, 144],
  setreuid: [113, 145],
  setregid: [114, 143],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setgroups: [116, 159],
  setfsuid: [122, 151],
  setfsgid: [123, 152],
  // files by their paths
  open: [2],
  creat: [85],
  openat: [257, 56],
  openat2: [437, 437],
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  mknod: [133],
  mknodat: [259, 33],
  mkdir: [83],
  mkdirat: [258, 34],
  rename: [82],
  renameat: [264, 38],
  renameat2: [316, 276],
  link: [86],
  linkat: [265, 37],
  symlink: [88],
  symlinkat: [266, 36],
  truncate: [76, 45],
  // who may do what with files
  chmod: [90],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  chown: [92],
  fchown: [93, 55],
  lchown: [94],
  fchownat: [260, 54],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  // devices and networks
  socket: [41, 198],
  ioctl: [16, 29],
} as const satisfies Record<string, readonly [number] | readonly [number, number]>;

/** A system call with its arguments. */
export interface SystemCall {
  readonly number: number;
  /** Up to five; the rest is 0. Memory that an address leads to has to stay. */
  readonly args: readonly number[];
}

export type SystemCallName = keyof typeof NUMBERS;

const COLUMN = { x86_64: 0, aarch64: 1 } as const;

/** The numbers of this machine's calls; -1, which is none's, for one that it does not have. */
export const SYSTEM_CALLS: Readonly<Record<SystemCallName, number>> = Object.fromEntries(
  Object.entries(NUMBERS).map(([name, numbers]) => [name, numbers[COLUMN[Deno.build.arch]] ?? -1]),
) as Record<SystemCallName, number>;
