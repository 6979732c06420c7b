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
import { deviceTable } from "../device/device_table.ts";
import type { WantedSectors } from "../disk/sector_size.ts";
import { viewShown } from "../device/own_view.ts";
import { loopStatusIfAny } from "../kernel/loop_status.ts";

/** @throws {CommandError} if the kernel refuses, in losetup's words */
export function adjust(command: AdjustCommand): number {
  const device = loopDevice(command.device);
  if (command.kind === "directIo" && command.wanted === "off") refuseWrongBytes(device);
  const what = command.kind === "directIo" ? "direct io" : "logical block size";
  try {
    if (command.kind === "directIo") setLoopDirectIo(device, command.wanted);
    else setLoopBlockSize(device, sectorSizeFor(device, command.wanted));
    return 0;
  } catch (error) {
    throw new CommandError(`${device}: set ${what} failed: ${reasonOf(error)}`);
  }
}

/** @throws {Error} if no partition table tells it, though it shall */
function sectorSizeFor(device: string, wanted: WantedSectors): number {
  if (wanted !== "auto") return wanted;
  const found = deviceTable(device);
  if (found === undefined) throw new Error("no partition table tells it");
  return found.table.sectorBytes;
}

function refuseWrongBytes(device: string): void {
  if (viewShown(loopStatusIfAny(device))?.needsDirectIo === true) {
    throw new CommandError(
      `${device}: set direct io failed: the kernel would mix up the files that this view reads`,
    );
  }
}
