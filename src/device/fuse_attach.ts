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
import type { Ready } from "../daemon/job.ts";
import type { Launched } from "../daemon/launch.ts";
import { waitUntilGone } from "../daemon/processes.ts";
import type { UnfinishedFile } from "../daemon/state_file.ts";
import { diskAttribute, diskSizeBytes } from "../kernel/block_devices.ts";
import { cloneFuseDevice, mountFuse, openFuseDevice, openInMount } from "../kernel/fuse_mount.ts";
import { fuseConnectionOf } from "../kernel/fuse_control.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { ProvisionalLoop } from "../kernel/loop.ts";
import { requireLoop } from "../kernel/modules.ts";
import { tuneQueue } from "../kernel/nbd_devices.ts";
import { showPartitions } from "../kernel/partitions.ts";
import type { Fd } from "../sys/files.ts";
import { baseName } from "../sys/paths.ts";
import { ignoreInterruptions } from "../sys/signals.ts";
import {
  ABANDON_MS,
  type Attached,
  type AttachRequest,
  DEFAULT_SECTOR_BYTES,
  jobFor,
  QUEUE,
  readyAnswer,
  slowNotice,
  stateFor,
  threadCount,
  wholeSectors,
} from "./attach_common.ts";
import { CommandError } from "../sys/command_error.ts";
import { freeDeviceNamed } from "./device_names.ts";

const FILE_SYSTEM_TYPE = "tslosetup";

/** @throws {Error} if it fails; nothing is left behind then */
export function attachFuse(request: AttachRequest): Attached {
  const device = freeDeviceNamed(request.command);
  if (device?.kind === "nbd") {
    throw new CommandError(
      `${device.path}: transport 'fuse' makes loop devices: name one, or --find`,
    );
  }
  requireLoop();
  const fuse = openFuseDevice();
  using root = mountFuse(fuse, FILE_SYSTEM_TYPE);
  const threads = threadCount(request.command);
  const clones = Array.from({ length: threads - 1 }, () => cloneFuseDevice(fuse));
  const job = jobFor(request, { transport: "fuse", sockets: threads, threads });
  // From here on only the daemon has the device: if it dies, the file system does.
  using stateFile = request.states.begin();
  const descriptors = { served: [fuse, ...clones], stateFile: stateFile.fd };
  const launched = request.daemons.launch(job, descriptors).answer(slowNotice(request));
  try {
    const ready = readyAnswer(launched, request);
    using file = openInMount(root, diskPath(request.imagePath).slice(1), ready);
    return configure(request, { launched, ready, stateFile, file, device: device?.path });
  } catch (error) {
    root.close();
    launched.abandon();
    waitUntilGone(launched.process, ABANDON_MS);
    throw error;
  }
}

interface Setup {
  readonly launched: Launched;
  readonly ready: Ready;
  readonly stateFile: UnfinishedFile;
  readonly file: Fd;
  readonly device: string | undefined;
}

function configure(
  request: AttachRequest,
  { launched, ready, stateFile, file, device }: Setup,
): Attached {
  const { partScan, sectorSizeBytes = DEFAULT_SECTOR_BYTES } = request.command;
  wholeSectors(request, ready, sectorSizeBytes);
  // Detached by the kernel if this process ends before all is done, in whatever way.
  using loop = new ProvisionalLoop({
    ...(device === undefined ? {} : { device }),
    backingPath: `/proc/self/fd/${file.number}`,
    readOnly: ready.readOnly,
    directIo: "preferred",
    partScan,
    sectorSizeBytes,
    label: request.command.loopReference ?? request.imagePath,
  });
  const { path } = loop;
  const name = baseName(path);
  tuneQueue(name, QUEUE);
  if (partScan) showPartitions(path);
  const diskSequence = diskAttribute(name, "diskseq");
  const state = stateFor(request, { launched, ready }, {
    device: path,
    transport: "fuse",
    fuseConnection: fuseConnectionOf(file),
    sizeBytes: diskSizeBytes(name),
    ...(diskSequence === undefined ? {} : { diskSequence }),
  });
  ignoreInterruptions();
  request.states.write(state, stateFile);
  launched.confirm(path);
  loop.keep();
  return { shown: path, device: path, isNew: true, warnings: [] };
}
