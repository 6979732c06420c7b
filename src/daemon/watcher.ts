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
 * It also does what a daemon could not do any more, which has given up its rights: it tells the kernel that
 * the device goes with its last close.
 *
 * @module
 */
import type { NbdControl } from "../kernel/nbd.ts";
import { nbdName } from "../kernel/nbd_devices.ts";
import { ifPossible } from "../sys/errno.ts";
import { type Fd, fileExists, O_RDONLY, openFile } from "../sys/files.ts";
import { openKernelLog } from "../sys/kernel_log.ts";
import { logLine } from "../sys/log.ts";
import { baseName, realPath } from "../sys/paths.ts";
import { INTERRUPTIONS } from "../sys/signals.ts";
import { duplicate, pipe } from "../sys/sockets.ts";
import { openNull, spawn } from "../sys/spawn.ts";
import { REAP_ARGUMENT } from "./hidden_arguments.ts";
import { LEAVE } from "./job.ts";
import { ownCommand, passedEnvironment, processName } from "./own_program.ts";
import type { AttachState } from "./state.ts";

/** Above its standard input: the daemon's words. */
const NETLINK_FD = 3;
const ATTRIBUTE_FD = 4;
const LOG_FD = 5;
const LEAVE_FD = 6;

const SHELL = "/bin/sh";
/** Shells that write what they print in one piece; some write each line by itself. */
const SHELLS_THAT_DO_NOT_SPLIT = ["dash", "busybox"];
const DD = ["/usr/bin/dd", "/bin/dd"];

/** Since 5.14 the first one; the other has always been there. */
const ATTRIBUTES = ["backend", "pid"];

const LINE_FEED = 0x0a;

/** What is watched. */
interface Watched {
  /** The socket by which the device was connected: the daemon hears on it what becomes of LEAVE. */
  readonly control: NbdControl;
  readonly index: number;
  readonly backend: string;
  /** Reads as DONE when the daemon ends in order, as LEAVE before, and just ends when it is killed. */
  readonly watch: Fd;
}

/** Starts it, and closes `watch` here. */
export function startWatcher(
  state: AttachState,
  { control, index, backend, watch }: Watched,
): void {
  using nothing = openNull();
  using attribute = openAttribute(index);
  using log = openKernelLog() ?? openNull();
  const messages = control.preparedMessages(index, backend);
  using leave = leaveEnd(control.fd, { lengthBytes: messages.leave.length });
  const script = watcherScript(messages.disconnect, { isGuarded: attribute !== undefined });
  spawn(SHELL, {
    // It has to end in a shell's name: in an initramfs, that may be one of busybox's many.
    argv: [`${processName()}/sh`, "-c", script, "sh", ...reapCommand(state.device)],
    // Where not everybody would see them.
    environment: [
      ...passedEnvironment(),
      `DISCONNECT=${octal(messages.disconnect)}`,
      `LEAVE=${octal(messages.leave)}`,
      `LINE=${lineFor(state)}`,
    ],
    fds: [
      ...[watch.number, nothing.number, nothing.number],
      ...[control.fd, (attribute ?? nothing).number, log.number, leave.number],
    ],
    newSession: true,
    blockedSignals: INTERRUPTIONS,
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
 * @param message what disconnects, to be sent in one piece. Shells write what they print in one, except
 *   those that end one with each line; there, something has to put it together again
 * @param guard whether the attribute is there, which tells that the device is not another's by now
 */
export function watcherScript(message: Uint8Array, guard: { readonly isGuarded: boolean }): string {
  const disconnect = 'printf "$DISCONNECT"';
  const watch = [
    `while read -r line; do [ "$line" = ${LEAVE.trim()} ] || exit; printf "$LEAVE" >&${LEAVE_FD}; done`,
    '[ -x "$1" ] && exec "$@" >&2',
    guard.isGuarded ? `read -r attribute <&${ATTRIBUTE_FD} && ${disconnect}` : disconnect,
    `printf '%s\\n' "$LINE" >&${LOG_FD}`,
  ].join("; ");
  const send = message.includes(LINE_FEED)
    ? `{ ${watch}; } | dd ibs=1 obs=${message.length} >&${NETLINK_FD}`
    : `exec >&${NETLINK_FD}; ${watch}`;
  return `cd /; ${send}`;
}

/**
 * Where the watcher writes what tells the kernel that the device goes with its last close. That message
 * has a byte that ends lines in any case: some shells need somebody who puts it together again.
 *
 * @param control descriptor of the socket that it is for
 */
export function leaveEnd(
  control: number,
  { lengthBytes, shell = SHELL }: { readonly lengthBytes: number; readonly shell?: string },
): Fd {
  const splits = !SHELLS_THAT_DO_NOT_SPLIT.includes(baseName(realPath(shell)));
  const dd = splits ? DD.find(fileExists) : undefined;
  if (dd === undefined) return duplicate(control);
  const [input, end] = pipe();
  using nothing = openNull();
  spawn(dd, {
    argv: [`${processName()}/dd`, "ibs=1", `obs=${lengthBytes}`],
    fds: [input.number, control, nothing.number],
    newSession: true,
    blockedSignals: INTERRUPTIONS,
  });
  input.close();
  return end;
}

/** As printf wants it. */
export function octal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}
