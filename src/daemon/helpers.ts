/**
 * Processes that look after a device: one has it detached as soon as nobody uses it, one notices when
 * its daemon is killed.
 *
 * @module
 */
import { type Fd, fileExists } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { SIGHUP, SIGINT, SIGTERM } from "../sys/signals.ts";
import { openNull, spawn } from "../sys/spawn.ts";
import { LAZY_DETACH_ARGUMENT, REAP_ARGUMENT } from "./job.ts";
import { ownCommand, ownExecutable, spawnSelf } from "./own_program.ts";
import type { AttachState } from "./state.ts";

const LOSETUP_PATHS = ["/sbin/losetup", "/usr/sbin/losetup", "/bin/losetup", "/usr/bin/losetup"];
const WNOHANG = 1;

/** Starts the helper that has a device detached as soon as nobody uses it. */
export function startLazyDetach({ device }: Pick<AttachState, "device">): void {
  using nothing = openNull();
  const fds = [nothing.number, nothing.number, nothing.number];
  reapChildren();
  if (fileExists(ownExecutable())) spawnSelf([LAZY_DETACH_ARGUMENT, device], fds);
  else spawn(losetup(device), { argv: ["losetup", "-d", device], fds });
}

/** The stock tool does for a loop device when this program has been removed meanwhile. */
function losetup(device: string): string {
  const program = LOSETUP_PATHS.find(fileExists);
  if (program !== undefined && device.startsWith("/dev/loop")) return program;
  throw new Error(`cannot detach ${device}: the program that could has been removed`);
}

/** Earlier helpers that have ended. */
function reapChildren(): void {
  while (libc().waitpid(-1, new Uint8Array(4), WNOHANG) > 0);
}

/**
 * Leaves a shell behind that has the device disconnected if its daemon is killed: a request the
 * daemon had taken would otherwise wait for ever, for the kernel does not give up on it. A shell, as
 * it costs a megabyte where another process of this program would cost fifty.
 */
export function startWatcher(state: AttachState, watch: Fd): void {
  using nothing = openNull();
  const { program, prefix } = ownCommand();
  const script = 'read -r line || exec "$@"';
  const reap = [program, ...prefix, REAP_ARGUMENT, state.device];
  // Its name has to be that of a shell: in an initramfs it may be one of busybox's many.
  spawn("/bin/sh", {
    argv: ["sh", "-c", script, "sh", ...reap],
    fds: [watch.number, nothing.number, nothing.number],
    newSession: true,
    blockedSignals: [SIGHUP, SIGINT, SIGTERM],
  });
  watch.close();
}
