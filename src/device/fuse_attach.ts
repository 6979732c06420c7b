/**
 * Attaching an image to a loop device where the kernel has no nbd: the virtual disk is the only file
 * of a FUSE file system that is mounted nowhere.
 *
 *     image ── daemon ══ /dev/fuse ══ file ── /dev/loopN, direct I/O
 *
 * The loop device holds the file, the file the file system, and the file system the daemon: when the
 * loop device is detached, by whatever tool, all of it goes.
 *
 * @module
 */
import { ProvisionalLoop } from "../kernel/loop.ts";
import { requireLoop } from "../kernel/modules.ts";
import { tuneQueue } from "../kernel/nbd_devices.ts";
import { showPartitions } from "../kernel/partitions.ts";
import { baseName } from "../sys/paths.ts";
import { type Attached, type AttachRequest, QUEUE, wholeSectors } from "./attach_common.ts";
import { CommandError } from "../sys/command_error.ts";
import { freeDeviceNamed } from "./device_names.ts";
import { ServedFile } from "./served_file.ts";

/** @throws {Error} if it fails; nothing is left behind then */
export function attachFuse(request: AttachRequest): Attached {
  const { command, imagePath } = request;
  const device = freeDeviceNamed(command);
  if (device?.kind === "nbd") {
    throw new CommandError(
      `${device.path}: transport 'fuse' makes loop devices: name one, or --find`,
    );
  }
  requireLoop();
  using served = new ServedFile(request, { transport: "fuse" });
  const { sectorBytes } = served.ready;
  wholeSectors(request, served.ready, sectorBytes);
  // Detached by the kernel if this process ends before all is done, in whatever way.
  using loop = new ProvisionalLoop({
    ...(device === undefined ? {} : { device: device.path }),
    backingPath: `/proc/self/fd/${served.file.number}`,
    readOnly: served.ready.readOnly,
    directIo: "preferred",
    partScan: command.partScan,
    sectorSizeBytes: sectorBytes,
    label: command.loopReference ?? imagePath,
  });
  const { path } = loop;
  tuneQueue(baseName(path), QUEUE);
  if (command.partScan) showPartitions(path);
  served.confirm(path);
  loop.keep();
  return { shown: path, device: path, isNew: true, warnings: served.warnings };
}
