/**
 * `--foreground`: staying until a device has gone, for service managers.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { notifyManager } from "../daemon/service_manager.ts";
import { type AttachState, isStale, StateStore } from "../daemon/state.ts";
import { checkOutcome } from "../device/outcome.ts";
import { loopBackingPath } from "../kernel/loop_status.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { removeFile, replaceFile } from "../sys/files.ts";
import { baseName } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";
import { detach } from "./detach.ts";

const STOPS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** How often it is looked whether the device is still there; waiting costs next to nothing then. */
const LOOK_MS = 500;
/** How long whoever revives a device may take, at most. */
const REVIVAL_MS = 10_000;

/** What is stayed for. */
export interface Staying {
  /** What the user calls the device. */
  readonly device: string;
  /** Path of the image, as given. */
  readonly file: string;
  readonly pidFile: string | undefined;
  /** Where the state of the device is, if it has one. */
  readonly stateDirectory: string;
  readonly runtimeDirectory: string | undefined;
}

/**
 * Tells that the device is ready, and returns when it has gone.
 *
 * @returns the exit code: 1 if what was written may be lost
 * @throws {CommandError} if the PID file cannot be written; the device is detached then
 */
export async function stay(staying: Staying): Promise<number> {
  const { device, file, pidFile, runtimeDirectory } = staying;
  if (pidFile !== undefined) writePidFile(pidFile, () => detach([device], runtimeDirectory));
  const stop = (): void => {
    notifyManager({ STOPPING: 1, STATUS: `${device} goes with its last close` });
    detach([device], runtimeDirectory);
  };
  for (const signal of STOPS) Deno.addSignalListener(signal, stop);
  notifyManager({ READY: 1, MAINPID: Deno.pid, STATUS: `${device} shows ${file}` });
  const code = await endOf(device, new StateStore(staying.stateDirectory));
  for (const signal of STOPS) Deno.removeSignalListener(signal, stop);
  if (pidFile !== undefined) removeFile(pidFile);
  return code;
}

function writePidFile(path: string, undo: () => void): void {
  try {
    replaceFile(path, `${Deno.pid}\n`);
  } catch (error) {
    undo();
    throw new CommandError(`${path}: cannot write the process id: ${reasonOf(error)}`);
  }
}

/** Waits for the end of one daemon after the other, as long as another one takes its place. */
async function endOf(device: string, states: StateStore): Promise<number> {
  const onDevice = (): AttachState | undefined => states.find((state) => state.device === device);
  let state = onDevice();
  if (state === undefined) return await endOfPlainLoop(device);
  for (;;) {
    using end: DaemonEnd = new DaemonEnd(state);
    while (!end.hasCome) await pause();
    const next = end.outcome === "none" ? await successor(onDevice) : undefined;
    if (next === undefined) return codeFor(state, end);
    state = next;
  }
}

/** Who has taken the place of a daemon that was killed, if anybody does. */
async function successor(
  onDevice: () => AttachState | undefined,
): Promise<AttachState | undefined> {
  for (let waitedMs = 0; waitedMs < REVIVAL_MS; waitedMs += LOOK_MS) {
    const state = onDevice();
    if (state === undefined || !isStale(state)) return state;
    await pause();
  }
  return undefined;
}

async function endOfPlainLoop(device: string): Promise<number> {
  while (loopBackingPath(baseName(device)) !== undefined) await pause();
  return 0;
}

function codeFor(state: AttachState, end: DaemonEnd): number {
  try {
    checkOutcome(state, end);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    complain(error.message);
    return 1;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
