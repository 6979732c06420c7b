/**
 * `-d` and `-D`: taking devices down.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { detachNamed, detachState } from "../device/detach.ts";
import type { DetachOptions } from "../device/detach_options.ts";
import { resolveDevice, shownName, stateOn } from "../device/device_names.ts";
import { tellLostNode } from "../device/lost_node.ts";
import { clearRemains } from "../device/tidy.ts";
import { diskNames, nodePath } from "../kernel/block_devices.ts";
import { detachLoop } from "../kernel/loop.ts";
import { isBelowView } from "../kernel/view_labels.ts";
import { loopBackingPath, loopStatusIfAny } from "../kernel/loop_status.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import type { DetachCommand } from "./words/command.ts";

const PLAIN: DetachOptions = { force: false, verbose: false };

/** Detaches each of the devices that were named, and all devices of images that were. */
export async function detachAsked(
  command: DetachCommand,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const devices: string[] = [];
  for (const name of command.devices) devices.push(...await devicesMeant(name, states));
  return detach(devices, runtimeDirectory, command);
}

/** An image, or a piece of one, stands for the devices that show it; a name that stands for none is an error later. */
async function devicesMeant(asked: string, states: StateStore): Promise<string[]> {
  const name = await imageMeant(asked);
  const kind = resolveDevice(name).kind === "other" ? fileStatusIfAny(name)?.kind : undefined;
  if (kind !== "file" && kind !== "block") return [name];
  const { allDevices } = await import("./listing/devices.ts");
  const { devicesShowing } = await import("./listing/showing.ts");
  const devices = await devicesShowing(name, allDevices(states.all()));
  return devices.length === 0 ? [name] : devices.map(({ path }) => path);
}

/** A folder can be an image. */
async function imageMeant(name: string): Promise<string> {
  if (fileStatusIfAny(name)?.kind !== "directory") return name;
  return (await import("../disk/image_folder.ts")).imageFileAt(name);
}

/** Detaches each of `devices`; goes on after failures. */
export function detach(
  devices: readonly string[],
  runtimeDirectory: string | undefined,
  options = PLAIN,
): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const code = attempt(devices, (name) => {
    if (options.verbose && isKnown(name, states)) complain(`detaching ${shownName(name)}`);
    detachNamed(name, states, options);
  });
  clearRemains();
  return code;
}

/** Whether a name is that of anything that could be detached: of others, the error tells all. */
function isKnown(name: string, states: StateStore): boolean {
  const device = resolveDevice(name);
  return device.kind !== "other" || stateOn(states.all(), device) !== undefined;
}

/**
 * Detaches everything this user has attached, and, as losetup does, every loop device; never an nbd
 * device of another program.
 */
export function detachAll(runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const own = states.all();
  const codes = own.map((state) =>
    attempt([state.device], () => detachState(state, states, PLAIN))
  );
  const ownDevices = new Set(own.map(({ device }) => device));
  const others = attachedLoops().filter((device) => !ownDevices.has(device));
  codes.push(attempt(others, detachLoop));
  clearRemains();
  return Math.max(...codes);
}

function attachedLoops(): string[] {
  // What is below a view goes with it.
  return diskNames("loop").filter((name) => loopBackingPath(name) !== undefined).map(nodePath)
    .filter((path) => !isBelowView(loopStatusIfAny(path)));
}

/** @returns the exit code: 1 if any of them failed */
function attempt(devices: readonly string[], action: (device: string) => void): number {
  let code = 0;
  for (const device of devices) {
    try {
      action(device);
    } catch (error) {
      const isTold = error instanceof CommandError;
      complain(isTold ? error.message : `${shownName(device)}: detach failed: ${reasonOf(error)}`);
      tellLostNode(error);
      code = 1;
    }
  }
  return code;
}
