/**
 * The watcher: a shell that waits beside the daemon of a device. If the daemon is killed, it has another one
 * take its place, by way of a helper that is this program. If that is not possible, or the daemons are killed
 * again and again, it says so, and has an nbd device disconnected: a request the daemon had taken would
 * otherwise wait for ever, for the kernel does not give up on it. A FUSE session ends with the watcher, which
 * holds it open.
 *
 * A shell, as it costs a megabyte where another process of this program would cost fifty.
 *
 * After switch_root neither it nor anything else that it could start may be left of its file system. So it
 * has what it needs: the message that disconnects the device, the socket to send it by, and an attribute
 * of the device, which cannot be read any more once that was disconnected, be it another's by now.
 *
 * It also does what a daemon could not do any more, which has given up its rights: it tells the kernel that
 * the device goes with its last close.
 *
 * @module
 */
import type { NbdControl, PreparedMessages } from "../kernel/nbd.ts";
import { nbdName } from "../kernel/nbd_devices.ts";
import { ifPossible } from "../sys/errno.ts";
import { type Fd, fileExists, fileStatusIfAny, O_RDONLY, openFile } from "../sys/files.ts";
import { openKernelLog } from "../sys/kernel_log.ts";
import { logLine } from "../sys/log.ts";
import { baseName, realPath } from "../sys/paths.ts";
import { INTERRUPTIONS } from "../sys/signals.ts";
import { duplicate, pipe } from "../sys/sockets.ts";
import { openNull, spawn } from "../sys/spawn.ts";
import { Charge } from "./charge.ts";
import { descriptorsLeft, type Heritage, HeritageFd, makeManifest } from "./heritage.ts";
import { REAP_ARGUMENT, REVIVE_ARGUMENT } from "./hidden_arguments.ts";
import { LEAVE } from "./job.ts";
import { ownCommand, passedEnvironment, processName } from "./own_program.ts";
import { ownIdentity } from "./processes.ts";
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

/** An nbd device, as its watcher can tell the kernel of it. */
export interface WatchedNbd {
  /** The socket by which the device was connected: the daemon hears on it what becomes of LEAVE. */
  readonly control: NbdControl;
  readonly index: number;
  readonly backend: string;
}

/** What is watched. */
export interface Watched {
  /** Reads as DONE when the daemon ends in order, as LEAVE before, and just ends when it is killed. */
  readonly watch: Fd;
  /** Undefined for other transports. */
  readonly nbd?: WatchedNbd;
  /** What the next daemon needs; undefined if there is to be none. */
  readonly heritage?: Heritage | undefined;
}

/** Whether there is what it consists of: not in each chroot. */
export function canWatch(): boolean {
  return fileStatusIfAny(SHELL)?.kind === "file";
}

/** Starts it, puts it in charge, and closes `watch` here. */
export function startWatcher(state: AttachState, watched: Watched): void {
  const { watch, nbd, heritage } = watched;
  const token = Charge.newToken();
  using manifest = heritage && makeManifest({ ...heritage, token, giver: ownIdentity() });
  using nothing = openNull();
  using attribute = nbd && openAttribute(nbd.index);
  using log = openKernelLog() ?? openNull();
  const messages = nbd?.control.preparedMessages(nbd.index, nbd.backend);
  const lengthBytes = messages?.leave.length ?? 0;
  using leave = nbd && leaveEnd(nbd.control.fd, { lengthBytes });
  const orNothing = (fd: Fd | undefined): number => (fd ?? nothing).number;
  spawn(SHELL, {
    // It has to end in a shell's name: in an initramfs, that may be one of busybox's many.
    argv: [
      ...[`${processName()}/sh`, "-c"],
      watcherScript(messages?.disconnect, {
        isGuarded: attribute !== undefined,
        isRevivable: heritage !== undefined,
      }),
      ...["sh", ...programWords()],
    ],
    environment: [...passedEnvironment(), ...told(state, messages)],
    fds: [
      ...[watch.number, nothing.number, nothing.number],
      ...[nbd?.control.fd ?? nothing.number, orNothing(attribute), log.number, orNothing(leave)],
      ...heritage ? descriptorsLeft(heritage, { manifest: orNothing(manifest), nothing }) : [],
    ],
    newSession: true,
    blockedSignals: INTERRUPTIONS,
  });
  if (heritage !== undefined) Charge.over(heritage.descriptors).give(token);
  watch.close();
}

/** What would be seen by everybody among its arguments. */
function told(state: AttachState, messages: PreparedMessages | undefined): string[] {
  const nothing = new Uint8Array();
  const { disconnect, leave } = messages ?? { disconnect: nothing, leave: nothing };
  return [
    `DEVICE=${state.device}`,
    `DISCONNECT=${octal(disconnect)}`,
    `LEAVE=${octal(leave)}`,
    `LINE=${lineFor(state)}`,
  ];
}

function programWords(): string[] {
  const { program, prefix } = ownCommand();
  return [program, ...prefix];
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

/** How often a helper may be killed in a row. */
const MOST_TRIES = 5;
/** What a shell says of a process that a signal has ended: 128 and its number. */
const KILLED = 128;

/** What the helper ends with if there is to be no other daemon, and it has told all that there is to tell. */
export const GIVEN_UP = 2;

/** Has the next daemon started. A helper that was killed is started again; one that has failed is not. */
const REVIVE = [
  `told=; tries=0; while [ -x "$1" ] && [ $tries -lt ${MOST_TRIES} ]`,
  `do "$@" ${REVIVE_ARGUMENT} "$DEVICE" >&2`,
  `code=$?; [ $code = 0 ] && exit; [ $code = ${GIVEN_UP} ] && told=told; [ $code -lt ${KILLED} ] && break`,
  "tries=$((tries+1)); done",
].join("; ");

/**
 * What it runs. Where there is still a program to call, that does more than disconnect.
 *
 * @param message what disconnects an nbd device, to be sent in one piece. Shells write what they print in
 *   one, except those that end one with each line; there, something has to put it together again
 * @param means whether the attribute is there, which tells that the device is not another's by now, and
 *   whether there is a heritage
 */
export function watcherScript(
  message: Uint8Array | undefined,
  { isGuarded, isRevivable }: { readonly isGuarded: boolean; readonly isRevivable: boolean },
): string {
  const disconnect = `${
    isGuarded ? `read -r attribute <&${ATTRIBUTE_FD} && ` : ""
  }printf "$DISCONNECT"`;
  const watch = [
    `while read -r line; do [ "$line" = ${LEAVE.trim()} ] || exit; printf "$LEAVE" >&${LEAVE_FD}; done`,
    ...isRevivable ? [REVIVE] : [],
    ...message === undefined ? ['[ -n "$told" ] && exit'] : [],
    `[ -x "$1" ] && exec "$@" ${REAP_ARGUMENT} "$DEVICE" $told >&2 ${HeritageFd.State}<&-`,
    ...message === undefined ? [] : [disconnect],
    `[ -n "$told" ] || printf '%s\\n' "$LINE" >&${LOG_FD}`,
  ].join("; ");
  const send = message?.includes(LINE_FEED)
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
