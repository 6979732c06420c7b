/**
 * The kernel's log. A daemon is handed it open: later it may not open anything for writing.
 *
 * @module
 */
import { ifPossible } from "./errno.ts";
import { type Fd, O_NONBLOCK, O_WRONLY, openFile, openFileStatus } from "./files.ts";
import { duplicate } from "./sockets.ts";

/** A daemon's descriptor of it, or of /dev/null where nobody may write to it. */
export const KERNEL_LOG_FD = 7;

const PATH = "/dev/kmsg";
/** Documentation/admin-guide/devices.txt. */
const NUMBER = { major: 1, minor: 11 } as const;

/** The kernel's log, for writing, one line with each write; undefined where that cannot be. */
export function openKernelLog(): Fd | undefined {
  return ifPossible(inheritedLog) ?? ifPossible(() => openFile(PATH, O_WRONLY | O_NONBLOCK));
}

/** Undefined in a process that has something else there. */
function inheritedLog(): Fd | undefined {
  const { kind, specialMajor, specialMinor } = openFileStatus(KERNEL_LOG_FD);
  const isIt = kind === "character" && specialMajor === NUMBER.major &&
    specialMinor === NUMBER.minor;
  return isIt ? duplicate(KERNEL_LOG_FD) : undefined;
}
