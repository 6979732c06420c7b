/**
 * `--foreground`: staying until a device has gone, for service managers.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { notifyManager } from "../daemon/service_manager.ts";
import { type AttachState, StateStore } from "../daemon/state.ts";
import { takeAwayDead } from "../device/dead_devices.ts";
import { checkOutcome } from "../device/outcome.ts";
import { operationsOf } from "../device/transport_table.ts";
import { loopBackingPath } from "../kernel/loop_status.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { baseName } from "../sys/paths.ts";
import { detach } from "./detach.ts";
import { removePidFile, writePidFile } from "./pid_file.ts";

const STOPS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
/** How often it is looked whether the device is still there; waiting costs next to nothing then. */
const LOOK_MS = 500;

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
 * @throws {CommandError} if the PID file cannot be written; whatever goes wrong, the device is detached then
 */
export async function stay(staying: Staying): Promise<number> {
  const { device, pidFile, runtimeDirectory } = staying;
  const states = new StateStore(staying.stateDirectory);
  let isLeaving = false;
  // Told once more, it tries once more only if it could not.
  const leave = (): void => {
    if (isLeaving || !isThere(device, states)) return;
    isLeaving = detach([device], runtimeDirectory) === 0;
  };
  try {
    if (pidFile !== undefined) writePidFile(pidFile);
    return await untilGone(staying, states, leave);
  } catch (error) {
    leave();
    throw error;
  } finally {
    if (pidFile !== undefined) removePidFile(pidFile);
  }
}

async function untilGone(
  { device, file }: Staying,
  states: StateStore,
  leave: () => void,
): Promise<number> {
  const stop = (): void => {
    notifyManager({ STOPPING: 1, STATUS: `${device} goes with its last close` });
    leave();
  };
  for (const signal of STOPS) Deno.addSignalListener(signal, stop);
  notifyManager({ READY: 1, MAINPID: Deno.pid, STATUS: `${device} shows ${file}` });
  const code = await endOf(device, states);
  for (const signal of STOPS) Deno.removeSignalListener(signal, stop);
  return code;
}

/** Whether there is anything left to be detached: its daemon may still write back. */
function isThere(device: string, states: StateStore): boolean {
  const state = states.find((candidate) => candidate.device === device);
  if (state === undefined) return loopBackingPath(baseName(device)) !== undefined;
  const { isBlockDevice, isAttached } = operationsOf(state);
  return !isBlockDevice || isAttached(state);
}

/** Waits until the last of the daemons that take each other's place has ended, or was killed. */
async function endOf(device: string, states: StateStore): Promise<number> {
  const state = states.find((candidate) => candidate.device === device);
  if (state === undefined) return await endOfPlainLoop(device);
  using end = new DaemonEnd(state);
  while (!end.hasCome) await pause();
  return end.outcome === "none" ? takeAwayKilled(state, states) : codeFor(state, end);
}

/** Nobody takes the daemon's place: who would do that would hold its state. */
function takeAwayKilled(state: AttachState, states: StateStore): number {
  const { device, pid, readOnly } = states.reread(state) ?? state;
  const loss = readOnly ? "" : "; the last writes may not have reached the disk";
  complain(`${device}: its daemon (pid ${pid}) was killed${loss}`);
  takeAwayDead(state, states);
  return 1;
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
