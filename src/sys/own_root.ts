/**
 * The root folder of a daemon's own. The system's may become empty under it (switch_root) or lose its
 * /proc; then the runtime could start no more threads, for it asks who it is each time, and where it is.
 *
 *     /                   a file system of its own, mounted nowhere
 *     /.tslosetup         by which a thread knows that its root is such a one
 *     /proc/...           what the runtime and glibc ask for: /proc/self/exe, and how generous the
 *                         kernel is with memory; the rest is not there
 *     /dev/...            what a daemon may have to open
 *
 * From there, the system is reached through a descriptor of its folder /run, which goes along wherever
 * the system goes: an initramfs moves that mount to the new root. What lies beside it is `../`.
 *
 * @module
 */
import { checked, ifPossible } from "./errno.ts";
import { fileExists, readTextIfAny } from "./files.ts";
import { libc } from "./libc.ts";
import { cString } from "./memory.ts";
import { readLink } from "./paths.ts";
import { RUN_FOLDER_FD } from "./run_folder.ts";

/** Relative to the root. */
export const OWN_ROOT_MARK = ".tslosetup";

const CLONE_FS = 0x200;

/**
 * Makes `root` the root folder of all threads, and their working folder.
 *
 * @throws {SystemError} EPERM without CAP_SYS_CHROOT
 */
export function enterOwnRoot(root: number): void {
  checked(libc().fchdir(root), "fchdir");
  checked(libc().chroot(cString(".")), "chroot");
}

/** Whether the root folder is one of its own. */
export function isInOwnRoot(): boolean {
  return fileExists(`/${OWN_ROOT_MARK}`);
}

/**
 * Does something with a folder as working folder, from a root of one's own.
 *
 * @throws {SystemError} as fchdir(2), and what `act` throws
 */
export function inFolder<T>(fd: number, act: () => T): T {
  // From now on this thread's alone: another one that is just starting has to find itself below the root.
  checked(libc().unshare(CLONE_FS), "unshare");
  checked(libc().fchdir(fd), "fchdir");
  try {
    return act();
  } finally {
    libc().chdir(cString("/"));
  }
}

/** As {@link inFolder}, in the system's folder /run. */
export function inRunFolder<T>(act: () => T): T {
  return inFolder(RUN_FOLDER_FD, act);
}

/** A file of /proc/self, as text, from whatever root; undefined where there is no /proc. */
export function readOfSelf(name: string): string | undefined {
  return ofSelf((folder) => readTextIfAny(`${folder}/${name}`));
}

/** Path of this program, as /proc/self/maps has it; undefined where there is no /proc. */
export function programPath(): string | undefined {
  return ofSelf((folder) => ifPossible(() => readLink(`${folder}/exe`)));
}

function ofSelf<T>(read: (folder: string) => T | undefined): T | undefined {
  if (!isInOwnRoot()) return read("/proc/self");
  return ifPossible(() => inRunFolder(() => read("../proc/self")));
}
