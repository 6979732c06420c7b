/**
 * What is known of loop devices: all that listing them needs.
 *
 * @module
 */
import { ENXIO, ifPossible, SystemError } from "../sys/errno.ts";
import { O_RDONLY } from "../sys/files.ts";
import { IoBuffer } from "../sys/memory.ts";
import { diskAttribute } from "./block_devices.ts";
import { openNode } from "./device_nodes.ts";
import { tryLoopIoctl } from "./loop_ioctl.ts";
import { decodeLoopStatus, LOOP_INFO_BYTES, type LoopStatus } from "./loop_layout.ts";

/** Number in a loop device's name (`loop3`, `/dev/loop3`), if it is one. */
export function loopNumber(name: string): number | undefined {
  const match = /^(?:\/dev\/)?loop(0|[1-9]\d*)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** The file or device below a loop device as sysfs names it; undefined if it is not attached. */
export function loopBackingPath(name: string): string | undefined {
  return diskAttribute(name, "loop/backing_file");
}

/**
 * What a loop device is attached to, or undefined if it is attached to nothing.
 *
 * @throws {SystemError} as open(2) and ioctl(2)
 */
export function loopStatus(device: string): LoopStatus | undefined {
  using fd = openNode(device, O_RDONLY);
  const info = new IoBuffer(LOOP_INFO_BYTES);
  const result = tryLoopIoctl("LOOP_GET_STATUS64", { fd, path: device, argument: info.address });
  if (result.ok) return decodeLoopStatus(info.view);
  if (result.errno === ENXIO) return undefined;
  throw new SystemError("ioctl LOOP_GET_STATUS64", result.errno, device);
}

/** As {@link loopStatus}; also undefined where the device is gone, or not for this user to open. */
export function loopStatusIfAny(device: string): LoopStatus | undefined {
  return ifPossible(() => loopStatus(device));
}
