/**
 * System calls that a daemon which serves has no use for. Not all such: only those by which one that was
 * taken over would get at other processes, at files beside its images, or deep into the kernel. The runtime
 * makes many more calls than this program, and others with each version; so what is not here is allowed.
 *
 * @module
 */
import { O_CREAT, O_RDWR, O_WRONLY } from "../sys/files.ts";
import type { Refusal, Refusals } from "../sys/seccomp.ts";
import type { SystemCallName } from "../sys/system_calls.ts";

const NEVER: readonly SystemCallName[] = [
  // Other programs, and other processes.
  ...["execve", "execveat", "fork", "vfork", "ptrace"] as const,
  ...["process_vm_readv", "process_vm_writev", "kcmp"] as const,
  ...["pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill"] as const,
  // Mounts and namespaces.
  ...["mount", "umount2", "pivot_root", "chroot", "setns"] as const,
  ...[
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
  ] as const,
  // The whole system.
  ...["init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"] as const,
  ...["reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm"] as const,
  ...["settimeofday", "clock_settime", "adjtimex", "clock_adjtime"] as const,
  ...["sethostname", "setdomainname", "syslog", "vhangup"] as const,
  // Parts of the kernel in which faults were found, and io_uring, whose requests no filter sees.
  ...["bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key"] as const,
  ...["io_uring_setup", "io_uring_enter", "io_uring_register"] as const,
  ...["modify_ldt", "personality", "move_pages", "migrate_pages"] as const,
  // Being somebody else.
  ...["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid"] as const,
  ...["setgroups", "setfsuid", "setfsgid"] as const,
  // Files: images are open, and of what it makes in the file system, it only removes some.
  ...["creat", "openat2", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat"] as const,
  ...["mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat"] as const,
  ...["symlink", "symlinkat", "truncate", "chmod", "fchmod", "fchmodat"] as const,
  ...["chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr", "fsetxattr"] as const,
  ...["removexattr", "lremovexattr", "fremovexattr"] as const,
];

const O_TRUNC = 0o1000;
const WRITING = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

// linux/sched.h
const CLONE_FS = 0x200;
const CLONE_FILES = 0x400;
/** What makes a thread rather than a process: CLONE_VM, CLONE_SIGHAND, CLONE_THREAD. */
const CLONE_THREAD = 0x100 | 0x800 | 0x10000;

const AF_UNIX = 1;
/** Of the bits that tell the type of a socket, those which SOCK_DGRAM has not. */
const NOT_DGRAM = 0xf & ~2;
/** Control of network interfaces, by any socket: SIOC* (linux/sockios.h). */
const SIOC_FIRST = 0x8900;

/** What process number `pid` is refused. */
export function refusedCalls(pid: number): Refusals {
  const refusals = new Map<SystemCallName, readonly Refusal[]>();
  const refuse = (name: SystemCallName, ...grounds: Refusal[]): unknown =>
    refusals.set(name, grounds);
  for (const name of NEVER) refuse(name, { when: "always" });
  // Signals to itself tell a thread that slow work is done.
  for (const name of ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] as const) {
    refuse(name, { when: "is not", argument: 0, value: pid });
  }
  refuse("open", { when: "any of", argument: 1, bits: WRITING });
  refuse("openat", { when: "any of", argument: 2, bits: WRITING });
  // What it makes lies in memory, where no filter looks. The C library has the older one as well.
  refuse("clone3", { when: "unknown" });
  refuse("clone", { when: "not all of", argument: 0, bits: CLONE_THREAD });
  refuse("unshare", { when: "any of", argument: 0, bits: ~(CLONE_FS | CLONE_FILES) >>> 0 });
  // What the log takes. Services that obey root listen on others, D-Bus among them.
  refuse(
    "socket",
    { when: "is not", argument: 0, value: AF_UNIX },
    { when: "any of", argument: 1, bits: NOT_DGRAM },
  );
  refuse("ioctl", { when: "is among", argument: 1, first: SIOC_FIRST });
  return refusals;
}
