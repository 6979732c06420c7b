/**
 * A device that was asked for by name.
 *
 * @module
 */
import type { AttachState } from "../../daemon/state.ts";
import { blockDeviceName, nodePath } from "../../kernel/block_devices.ts";
import { loopNumber } from "../../kernel/loop_status.ts";
import { nbdIndex } from "../../kernel/nbd_devices.ts";
import { requireSysfs } from "../../kernel/sysfs_disks.ts";
import { ENXIO, errorText } from "../../sys/errno.ts";
import { CommandError } from "../../sys/command_error.ts";
import { deviceNode, noDevice, resolveDevice, stateOn } from "../../device/device_names.ts";
import {
  type AnyDevice,
  isConnected,
  isSocket,
  listedAlone,
  listedLoop,
  listedNbd,
} from "./devices.ts";
import { Disk } from "./disk.ts";

/**
 * The device of that name; a loop device need not be attached.
 *
 * @throws {CommandError} if there is no such device, or nothing on it
 */
export function listedDevice(name: string, states: readonly AttachState[]): AnyDevice {
  const device = resolveDevice(name);
  const diskName = blockDeviceName(name.includes("/") ? name : nodePath(name));
  const disk = diskName === undefined ? undefined : new Disk(diskName, deviceNode(name));
  if (disk !== undefined && loopNumber(disk.name) !== undefined) return listedLoop(disk, states);
  if (device.kind === "nbd") requireSysfs();
  const state = stateOn(states, device);
  if (state !== undefined && isSocket(state)) return listedAlone(state);
  if (disk === undefined || nbdIndex(disk.name) === undefined) {
    throw noDevice(name);
  }
  if (!isConnected(disk)) throw new CommandError(`${disk.path}: ${errorText(ENXIO)}`);
  return listedNbd(disk, states);
}
