/**
 * The watcher: a shell that waits beside the daemon of an nbd device. If the daemon is killed, it has
 * the device disconnected: a request the daemon had taken would otherwise wait for ever, for the kernel
 * does not give up on it. A shell, as it costs a megabyte where another process of this program would
 * cost fifty.
 *
 * After switch_root neither it nor anything else that it could start is left of its file system. So it
 * has what it needs: the message that disconnects the device, the socket to send it by, and an attribute
 * of the device, which cannot be read any more once that was disconnected, be it another's by now.
 *
 * @module
 */
import { NbdControl } from "../kernel/nbd.ts";
import { nbdName } from "../kernel/nbd_devices.ts";
import { ifPossible } from "../sys/errno.ts";
import { type Fd, O_NONBLOCK, O_RDONLY, O_WRONLY, openFile } from "../sys/files.ts";
import { logLine } from "../sys/log.ts";
import { SIGHUP, SIGINT, SIGTERM } from "../sys/signals.ts";
import { openNull, spawn } from "../sys/spawn.ts";
import { REAP_ARGUMENT } from "./job.ts";
import { ownCommand, passedEnvironment, processName } from "./own_program.ts";
import type { AttachState } from "./state.ts";

/** Above its standard input: the daemon's words. */
const NETLINK_FD = 3;
const ATTRIBUTE_FD = 4;
const LOG_FD = 5;

/** Since 5.14 the first one; the other has always been there. */
const ATTRIBUTES = ["backend", "pid"];

const LINE_FEED = 0x0a;

/**
 * Starts it.
 *
 * @param watch reads as DONE when the daemon ends in order, and just ends when it is killed; closed here
 */
export function startWatcher(state: AttachState, nbdIndex: number, watch: Fd): void {
  using nothing = openNull();
  using control = new NbdControl();
  using attribute = openAttribute(nbdIndex);
  using log = ifPossible(() => openFile("/dev/kmsg", O_WRONLY | O_NONBLOCK)) ?? openNull();
  const message = control.disconnectMessage(nbdIndex);
  const script = watcherScript(message, { isGuarded: attribute !== undefined });
  spawn("/bin/sh", {
    // It has to end in a shell's name: in an initramfs, that may be one of busybox's many.
    argv: [`${processName()}/sh`, "-c", script, "sh", ...reapCommand(state.device)],
    // Where not everybody would see them.
    environment: [...passedEnvironment(), `MESSAGE=${octal(message)}`, `LINE=${lineFor(state)}`],
    fds: [
      ...[watch.number, nothing.number, nothing.number],
      ...[control.fd, (attribute ?? nothing).number, log.number],
    ],
    newSession: true,
    blockedSignals: [SIGHUP, SIGINT, SIGTERM],
  });
  watch.close();
}

function reapCommand(device: string): string[] {
  const { program, prefix } = ownCommand();
  return [program, ...prefix, REAP_ARGUMENT, device];
}

/** Undefined where there is no /sys. */
function openAttribute(nbdIndex: number): Fd | undefined {
  for (const name of ATTRIBUTES) {
    const path = `/sys/block/${nbdName(nbdIndex)}/${name}`;
    const fd = ifPossible(() => openFile(path, O_RDONLY));
    if (fd !== undefined) return fd;
  }
  return undefined;
}

function lineFor({ pid, device, image }: AttachState): string {
  return logLine(`${image}: the daemon of ${device} (pid ${pid}) was killed`, pid);
}

/**
 * What it runs. Where there is still a program to call, that does more than disconnect.
 *
 * @param message what is to be sent, in one piece. Shells write what they print in one, except those that
 *   end one with each line; there, something has to put it together again
 * @param guard whether the attribute is there, which tells that the device is not another's by now
 */
export function watcherScript(message: Uint8Array, guard: { readonly isGuarded: boolean }): string {
  const disconnect = 'printf "$MESSAGE"';
  const watch = [
    "read -r line && exit",
    '[ -x "$1" ] && exec "$@" >&2',
    guard.isGuarded ? `read -r attribute <&${ATTRIBUTE_FD} && ${disconnect}` : disconnect,
    `printf '%s\\n' "$LINE" >&${LOG_FD}`,
  ].join("; ");
  const send = message.includes(LINE_FEED)
    ? `{ ${watch}; } | dd ibs=1 obs=${message.length} >&${NETLINK_FD}`
    : `exec >&${NETLINK_FD}; ${watch}`;
  return `cd /; ${send}`;
}

/** As printf wants it. */
export function octal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}
