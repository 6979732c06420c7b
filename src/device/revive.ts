/**
 * Having another daemon take the place of one that was killed: what a watcher starts this program for. The
 * file systems on the device see a pause.
 *
 * @module
 */
import { Charge } from "../daemon/charge.ts";
import { type Heritage, HeritageFd, type Manifest, readHeritage } from "../daemon/heritage.ts";
import { DaemonDiedError } from "../daemon/launched.ts";
import { OwnState } from "../daemon/own_state.ts";
import { ownSurroundings, type ProcessIdentity } from "../daemon/processes.ts";
import type { AttachState } from "../daemon/state.ts";
import { WaitingDaemon } from "../daemon/waiting_daemon.ts";
import { GIVEN_UP, startWatcher } from "../daemon/watcher.ts";
import { ifPossible } from "../sys/errno.ts";
import { Fd } from "../sys/files.ts";
import { Log } from "../sys/log.ts";
import { reasonOf } from "../sys/reason.ts";
import type { Reconnection } from "./operations.ts";
import { operationsOf } from "./transport_table.ts";

/** So many daemons of a device may be killed within {@link DEATHS_MS}: something kills each of them. */
const MAX_DEATHS = 5;
const DEATHS_MS = 60_000;

/**
 * Revives the daemon of a device, over the descriptors of the watcher that has started this.
 *
 * @returns the exit code: 0 if another daemon serves, or another watcher sees to that; else {@link GIVEN_UP}
 */
export function revive(device: string): number {
  const manifest = readHeritage();
  const charge = Charge.over(manifest.descriptors);
  if (!charge.isOf(manifest)) return 0;
  const state = new OwnState(HeritageFd.State).read();
  if (state?.device !== device || state.isForsaken === true) return GIVEN_UP;
  // Nothing is left to be served.
  if (state.outcome !== undefined) return GIVEN_UP;
  const log = new Log(state.image);
  log.error(`the daemon of ${device} (pid ${state.pid}) was killed`);
  try {
    const pid = takePlace(state, { manifest, charge });
    log.error(`another daemon (pid ${pid}) serves ${device} in its place`);
    return 0;
  } catch (error) {
    log.error(`${device} is given up: ${reasonOf(error)}`);
    return GIVEN_UP;
  }
}

interface Means {
  readonly manifest: Manifest;
  readonly charge: Charge;
}

/** @returns the process id of the daemon that serves now */
function takePlace(state: AttachState, { manifest, charge }: Means): number {
  const deaths = [...manifest.deaths];
  charge.endAttempt();
  for (;;) {
    deaths.push(Date.now());
    const recent = deaths.filter((time) => Math.abs(Date.now() - time) < DEATHS_MS);
    if (recent.length >= MAX_DEATHS) {
      throw new Error(`${recent.length} daemons were killed within ${DEATHS_MS / 1000} seconds`);
    }
    const pid = tryToTakePlace(state, { manifest: { ...manifest, deaths: recent }, charge });
    if (pid !== undefined) return pid;
  }
}

/** @returns undefined if the next daemon was killed, too, before it served */
function tryToTakePlace(state: AttachState, means: Means): number | undefined {
  try {
    return start(state, means).pid;
  } catch (error) {
    if (error instanceof DaemonDiedError) return undefined;
    throw error;
  }
}

function start(state: AttachState, { manifest, charge }: Means): ProcessIdentity {
  const { device, revivals = 0 } = state;
  const { job, descriptors } = manifest;
  using connection = reconnected(state, manifest);
  const { served, control, nbd } = connection;
  const daemon = new WaitingDaemon(true);
  charge.noteAttempt(daemon.process);
  const [commands] = descriptors.commands ?? [];
  daemon.handOver(job, {
    served,
    ...(control === undefined ? {} : { control }),
    stateFile: {
      fd: HeritageFd.State,
      control: commands === undefined ? undefined : new Fd(commands),
    },
    left: descriptors,
  });
  const launched = daemon.answer();
  try {
    if (!launched.answer.ok) throw new Error(launched.answer.message);
    connection.connect();
    const changes = { ...launched.process, ...ownSurroundings(), revivals: revivals + 1 };
    new OwnState(HeritageFd.State).change(changes);
    startWatcher({ ...state, ...changes }, {
      watch: launched.watch,
      heritage: manifest,
      ...(nbd === undefined ? {} : { nbd }),
    });
  } catch (error) {
    launched.abandon();
    throw error;
  }
  // Killed by now, it is its own watcher's concern.
  ifPossible(() => launched.confirm(device));
  return launched.process;
}

function reconnected(state: AttachState, heritage: Heritage): Reconnection {
  const { reconnect } = operationsOf(state);
  if (reconnect === undefined) throw new Error("no other daemon can take its place");
  return reconnect(state, heritage);
}
