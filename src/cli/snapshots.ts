/**
 * `--snapshot-create` and its like: change the internal snapshots of an image.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { absolutePath } from "../device/device_names.ts";
import { changeDeviceSnapshots } from "../device/device_snapshots.ts";
import { changeImageSnapshots } from "../disk/change_snapshots.ts";
import { CommandError } from "../sys/command_error.ts";
import { reasonOf } from "../sys/reason.ts";
import type { SnapshotCommand } from "./words/snapshot_command.ts";

/** @throws {CommandError} if that cannot be done: the image is as it was then */
export function changeSnapshots(
  { target, change, format }: SnapshotCommand,
  runtimeDirectory: string | undefined,
): number {
  try {
    const states = new StateStore(stateDirectory(runtimeDirectory));
    if (!changeDeviceSnapshots(target, change, states)) {
      changeImageSnapshots(absolutePath(target), format, change);
    }
    return 0;
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const what = `failed to ${change.action} the snapshot`;
    throw new CommandError(`${target}: ${what}: ${reasonOf(error)}`);
  }
}
