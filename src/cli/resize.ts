/**
 * `-c`: makes a device as large as its image has become.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { shownName } from "../device/device_names.ts";
import { resizeNamed } from "../device/resize.ts";
import { CommandError } from "../sys/command_error.ts";
import { reasonOf } from "../sys/reason.ts";

/** @throws {CommandError} if the device cannot be resized */
export function resize(name: string, runtimeDirectory: string | undefined): number {
  try {
    resizeNamed(name, new StateStore(stateDirectory(runtimeDirectory)));
    return 0;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${shownName(name)}: set capacity failed: ${reasonOf(error)}`);
  }
}
