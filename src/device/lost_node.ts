/**
 * Nodes that are missing and could not be made, in a container mostly.
 *
 * @module
 */
import { kernelDeviceNumber } from "../kernel/block_devices.ts";
import { formatDeviceNumber } from "../kernel/device_numbers.ts";
import { complain } from "../sys/console.ts";
import { SystemError } from "../sys/errno.ts";
import { fileExists } from "../sys/files.ts";
import { baseName } from "../sys/paths.ts";

/** Says, as losetup does, which node is lost, if that is the reason of an error. */
export function tellLostNode(error: unknown): void {
  if (!(error instanceof SystemError) || error.syscall !== "mknod") return;
  const path = error.path ?? "";
  const number = kernelDeviceNumber(baseName(path));
  if (number === undefined || fileExists(path)) return;
  complain(
    `device node ${path} (${formatDeviceNumber(number)}) is lost. ` +
      "You may use mknod(1) to recover it.",
  );
}
