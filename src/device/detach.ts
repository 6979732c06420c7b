/**
 * Taking one device down.
 *
 * A block device is never torn from under its users: it is told to go with its last close. A device
 * nobody uses has its last close at once.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { type AttachState, isStale, type StateStore } from "../daemon/state.ts";
import { detachLoop } from "../kernel/loop.ts";
import { loopBackingPath } from "../kernel/loop_status.ts";
import { baseName } from "../sys/paths.ts";
import { deviceUsers } from "../kernel/users.ts";
import { isLeftOver, takeAwayDead, tellOpen, tellStillOpen } from "./dead_devices.ts";
import { detachByForce } from "./detach_by_force.ts";
import { detachForeignNbd } from "./detach_foreign.ts";
import { type DetachOptions } from "./detach_options.ts";
import { loopDevice, noDevice, resolveDevice, stateOn } from "./device_names.ts";
import { letGo, noteIn } from "./let_go.ts";
import { lostState } from "./lost_state.ts";
import { checkOutcome } from "./outcome.ts";
import {
  detachWhenAwake,
  lastingHindrance,
  tellStandstill,
  waitForDaemon,
} from "./stuck_daemon.ts";
import { withSuccessor } from "./successor.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a device that no one is known to use may stay open: udev and blkid look for a moment. */
const LOOK_MS = 5000;

/** How long one may that is claimed unseen: a mount namespace made meanwhile has a copy of what is unmounted here. */
const CLAIM_MS = 1000;

/**
 * Detaches the device that `name` stands for.
 *
 * @throws {Error} if it is none, or cannot be detached, or what was written may be lost
 */
export function detachNamed(name: string, states: StateStore, options: DetachOptions): void {
  const device = resolveDevice(name);
  const state = stateOn(states.all(), device);
  if (state !== undefined && (!isStale(state) || isLeftOver(state))) {
    return detachState(state, states, options);
  }
  if (state !== undefined) {
    states.remove(state);
    if (!operationsOf(state).isAttached(state)) return;
    // Somebody else's device by now: what a dead daemon says of it is of no use.
  }
  switch (device.kind) {
    case "nbd":
      return detachForeignNbd(device, options);
    case "loop":
      return detachPlainLoop(loopDevice(name), options);
    case "other":
      return detachLoop(loopDevice(name));
    case "socket":
      return detachState(lostState(device.path, states) ?? refuse(name), states, options);
  }
}

function detachPlainLoop(path: string, { verbose }: DetachOptions): void {
  detachLoop(path);
  if (verbose && loopBackingPath(baseName(path)) !== undefined) tellOpen(path);
}

function refuse(name: string): never {
  throw noDevice(name);
}

/**
 * Detaches a device that has a state.
 *
 * @throws {Error} as {@link detachNamed}
 */
export function detachState(
  state: AttachState,
  states: StateStore,
  options: DetachOptions,
): void {
  using end = new DaemonEnd(state);
  const current = withSuccessor(state, states);
  // A device that went meanwhile has taken its state along.
  if (current === undefined) return checkOutcome(state, end);
  detachPresent(current, states, options);
}

function detachPresent(state: AttachState, states: StateStore, options: DetachOptions): void {
  const { force, verbose } = options;
  if (isStale(state)) return takeAwayDead(state, states);
  operationsOf(state).requireSight(state);
  using end = new DaemonEnd(state);
  if (force) return detachByForce(state, { states, end });
  if (operationsOf(state).isBlockDevice) detachDevice(state, { states, end, verbose });
  else endSocket(state, { states, end });
  if (end.hasCome) checkOutcome(state, end);
}

interface Means extends Pick<DetachOptions, "verbose"> {
  readonly states: StateStore;
  readonly end: DaemonEnd;
}

function endSocket(state: AttachState, { states, end }: Omit<Means, "verbose">): void {
  letGo(state, noteIn(states, state));
  waitForDaemon(state, end);
}

function detachDevice(state: AttachState, { states, end, verbose }: Means): void {
  const users = deviceUsers(state.device);
  const isUsed = users.length > 0;
  const hindrance = lastingHindrance(state);
  if (hindrance !== undefined && !isUsed) return detachWhenAwake(state, { hindrance, end });
  letGo(state, noteIn(states, state));
  tellStandstill(state, hindrance);
  if (users.some(({ kind }) => kind !== "claimed")) {
    if (verbose) tellOpen(state.device);
    return;
  }
  if (end.wait(isUsed ? CLAIM_MS : LOOK_MS) || isUsed) return;
  if (operationsOf(state).isAttached(state)) {
    tellStillOpen(state.device);
  } else {
    waitForDaemon(state, end);
  }
}
