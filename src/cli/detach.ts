/**
 * `-d` and `-D`: taking devices down.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { detachNamed, detachState } from "../device/detach.ts";
import type { DetachOptions } from "../device/detach_options.ts";
import { shownName } from "../device/device_names.ts";
import { diskNames, nodePath } from "../kernel/block_devices.ts";
import { detachLoop } from "../kernel/loop.ts";
import { loopBackingPath } from "../kernel/loop_status.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { reasonOf } from "../sys/reason.ts";

/** Detaches each of `devices`; goes on after failures. */
export function detach(
  devices: readonly string[],
  runtimeDirectory: string | undefined,
  options: DetachOptions = { force: false },
): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  return worstOf(devices, (name) => detachNamed(name, states, options));
}

/**
 * Detaches everything this user has attached, and, as losetup does, every loop device; never an nbd
 * device of another program.
 */
export function detachAll(runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const own = new Map(states.all().map((state) => [state.device, state]));
  const code = worstOf([...own.keys()], (device) => {
    const state = own.get(device);
    if (state !== undefined) detachState(state, states, { force: false });
  });
  const others = attachedLoops().filter((device) => !own.has(device));
  return Math.max(code, worstOf(others, detachLoop));
}

function attachedLoops(): string[] {
  return diskNames("loop").filter((name) => loopBackingPath(name) !== undefined).map(nodePath);
}

function worstOf(devices: readonly string[], action: (device: string) => void): number {
  let code = 0;
  for (const device of devices) {
    try {
      action(device);
    } catch (error) {
      const isTold = error instanceof CommandError;
      complain(isTold ? error.message : `${shownName(device)}: detach failed: ${reasonOf(error)}`);
      code = 1;
    }
  }
  return code;
}
