/**
 * Changing a loop device that is set up: `--direct-io` and `-b` with a device alone.
 *
 * @module
 */
import { setLoopBlockSize, setLoopDirectIo } from "../kernel/loop.ts";
import { reasonOf } from "../sys/reason.ts";
import type { AdjustCommand } from "./words/command.ts";
import { CommandError } from "../sys/command_error.ts";
import { loopDevice } from "../device/device_names.ts";
import { viewShown } from "../device/own_view.ts";
import { loopStatusIfAny } from "../kernel/loop_status.ts";

/** @throws {CommandError} if the kernel refuses, in losetup's words */
export function adjust(command: AdjustCommand): number {
  const device = loopDevice(command.device);
  if (command.kind === "directIo" && command.wanted === "off") refuseWrongBytes(device);
  const what = command.kind === "directIo" ? "direct io" : "logical block size";
  try {
    if (command.kind === "directIo") setLoopDirectIo(device, command.wanted);
    else setLoopBlockSize(device, command.sizeBytes);
    return 0;
  } catch (error) {
    throw new CommandError(`${device}: set ${what} failed: ${reasonOf(error)}`);
  }
}

function refuseWrongBytes(device: string): void {
  if (viewShown(loopStatusIfAny(device))?.needsDirectIo === true) {
    throw new CommandError(
      `${device}: set direct io failed: the kernel would mix up the files that this view reads`,
    );
  }
}
