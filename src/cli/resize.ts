/**
 * `-c`: makes a device as large as its image has become.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { resolveDevice, shownName } from "../device/device_names.ts";
import { resizeNamed } from "../device/resize.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { CommandError } from "../sys/command_error.ts";
import { reasonOf } from "../sys/reason.ts";
import type { ResizeCommand } from "./words/command.ts";

/** Where nothing is attached, `-c` may be meant as qemu-nbd's (which names a file, too). */
function hint({ device: name, file }: ResizeCommand): string {
  if (file !== undefined) return "";
  const device = resolveDevice(name);
  const isFree = device.kind === "nbd" && nbdDevice(device.index)?.connected !== true;
  return isFree ? `; to attach an image: tslosetup ${device.path} <file>` : "";
}

/** @throws {CommandError} if the device cannot be resized */
export function resize(command: ResizeCommand, runtimeDirectory: string | undefined): number {
  const { device: name } = command;
  try {
    resizeNamed(name, new StateStore(stateDirectory(runtimeDirectory)));
    return 0;
  } catch (error) {
    if (error instanceof CommandError) throw new CommandError(error.message + hint(command));
    throw new CommandError(
      `${shownName(name)}: set capacity failed: ${reasonOf(error)}${hint(command)}`,
    );
  }
}
