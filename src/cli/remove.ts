/**
 * `--remove`: has the kernel forget loop devices that are not attached (losetup 2.42).
 *
 * @module
 */
import { removeLoop } from "../kernel/loop_control.ts";
import { reasonOf } from "../sys/reason.ts";
import { complain } from "../sys/console.ts";
import { deviceNode } from "../device/device_names.ts";

/** Removes each of `devices`; goes on after failures. */
export function remove(devices: readonly string[]): number {
  let code = 0;
  for (const device of devices.map(deviceNode)) {
    try {
      removeLoop(device);
    } catch (error) {
      complain(`${device}: remove failed: ${reasonOf(error)}`);
      code = 1;
    }
  }
  return code;
}
