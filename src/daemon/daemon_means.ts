/**
 * What a daemon is started with that it could not get by itself.
 *
 * @module
 */
import { DaemonRoot } from "../kernel/daemon_root.ts";
import { EPERM, ifPossible } from "../sys/errno.ts";
import { type Fd, O_PATH, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { ownExecutable } from "./own_program.ts";

/** Writing back what others wait for must not wait for memory that is being freed by it. */
const PR_SET_IO_FLUSHER = 57;

/**
 * Has the daemon that is started next, which inherits that, never wait for writing back when it needs
 * memory; kernels before 5.6 cannot do that for anybody.
 *
 * @returns whether the kernel has refused, for want of CAP_SYS_RESOURCE
 */
export function isRefusedToGuard(): boolean {
  return libc().prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) !== 0 && lastErrno() === EPERM;
}

/** Run from sources, the program reads the modules of its threads as they start: they need the system's. */
export function makeRoot(): DaemonRoot | undefined {
  const isWanted = Deno.build.standalone && libc().geteuid() === 0;
  return isWanted ? DaemonRoot.make(ownExecutable()) : undefined;
}

/** The folder that goes along wherever the system goes: sys/own_root.ts says what for. */
export function openRunFolder(): Fd {
  return ifPossible(() => openFile("/run", O_PATH)) ?? openFile("/", O_PATH);
}
