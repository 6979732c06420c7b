/**
 * Attaching an image to a loop device without any server: the kernel itself finds the clusters, by way
 * of a small file system whose only file is the disk, and which is mounted nowhere.
 *
 *     image ── loop ──┐
 *     base  ── loop ──┼── EROFS ── file ── /dev/loopN, direct I/O
 *     metadata ─ loop ┘
 *
 * The upper loop device holds the file, that the file system, and that the lower loop devices, which go
 * with their last user: when the upper one is detached, by whatever tool, all of it goes. The lower
 * ones hold the files with their locks, so that the image stays locked without any process.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { lockImage } from "../disk/lock.ts";
import { openImage, openImageFile } from "../disk/open.ts";
import { ReadRequest } from "../disk/reader.ts";
import { windowOf } from "../disk/window.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { keyRing } from "../image/key_ring.ts";
import { openInMount } from "../kernel/fuse_mount.ts";
import { ProvisionalLoop } from "../kernel/loop.ts";
import { requireLoop } from "../kernel/modules.ts";
import { tuneQueue } from "../kernel/nbd_devices.ts";
import { showPartitions } from "../kernel/partitions.ts";
import { CommandError } from "../sys/command_error.ts";
import { type Fd, LentFd } from "../sys/files.ts";
import { IoBuffer } from "../sys/memory.ts";
import { baseName } from "../sys/paths.ts";
import { ignoreInterruptions } from "../sys/signals.ts";
import { encodeDescription } from "../view/description.ts";
import { CHUNK_ENTRY } from "../view/layout.ts";
import { ViewMetadata } from "../view/metadata.ts";
import { planView, type ViewPlan } from "../view/plan.ts";
import { listRuns } from "../view/run_list.ts";
import {
  type Attached,
  type AttachRequest,
  imageRequest,
  QUEUE,
  sectorBytes,
  viewOf,
  warn,
  wholeSectors,
} from "./attach_common.ts";
import { freeDeviceNamed } from "./device_names.ts";
import {
  deviceBytes,
  LowerDevices,
  metadataDevice,
  mountView,
  requireViews,
} from "./view_devices.ts";

/** Metadata that are kept in memory at most: 8 bytes for each cluster of the disk. */
const MAX_METADATA_BYTES = 256 * 1024 * 1024;
/** What else there is for what a view cannot show. */
const OTHERS = "(--transport nbd or fuse)";

/** @throws {Error} if it fails; nothing is left behind then */
export function attachView(request: AttachRequest): Attached {
  const { command, imagePath } = request;
  const device = freeDeviceNamed(command);
  if (device?.kind === "nbd") {
    throw new CommandError(
      `${device.path}: transport 'view' makes loop devices: name one, or --find`,
    );
  }
  requireLoop();
  requireViews();
  using access = open(request);
  const plan = planOf(access);
  using below = new LowerDevices(access.files);
  using source = metadataDevice(metadataOf(request, { access, plan }));
  using root = mountView(source.path, below.paths);
  using file = openInMount(root, pathInView(imagePath), { readOnly: true });
  for (const text of access.warnings) warn(request, text);
  const { sizeBytes } = windowOf(access.sizeBytes, command);
  wholeSectors(request, { sizeBytes }, sectorBytes(command));
  return finish(request, { file, device: device?.path });
}

/** The whole disk, read-only, locked. */
function open({ command, imagePath, passphrase }: AttachRequest): ImageAccess {
  const { file } = openImageFile(imagePath, { readOnly: true });
  try {
    lockImage(file, "read");
    const whole = { ...imageRequest(command), offsetBytes: 0, sizeLimitBytes: 0, readOnly: true };
    return openImage(file, whole, { keys: keyRing(passphrase) });
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** @throws {CommandError} if the kernel cannot find all of the disk by itself */
function planOf(access: ImageAccess): ViewPlan {
  const fileSizes = access.files.map(deviceBytes);
  const plan = planView(listRuns(access), { sizeBytes: access.sizeBytes, fileSizes });
  if (plan.serverChunks > 0) {
    throw new CommandError(
      "some of its clusters are compressed, encrypted or not aligned: only a server can read " +
        `them ${OTHERS}`,
    );
  }
  if (plan.chunks * CHUNK_ENTRY.size > MAX_METADATA_BYTES) {
    throw new CommandError(`the disk has too many clusters for a view ${OTHERS}`);
  }
  return plan;
}

function metadataOf(
  { command, imagePath }: AttachRequest,
  { access, plan }: { readonly access: ImageAccess; readonly plan: ViewPlan },
): Uint8Array<ArrayBuffer> {
  const deviceSizes = access.files.map(deviceBytes);
  const path = pathInView(imagePath);
  const metadata = new ViewMetadata({ plan, path, deviceSizes, serverDevice: undefined });
  const { deviceMajor, deviceMinor, inode } = access.files[0]?.status ??
    { deviceMajor: 0, deviceMinor: 0, inode: 0 };
  metadata.bytes.set(encodeDescription({
    image: imagePath,
    format: access.format,
    imageDevice: [deviceMajor, deviceMinor],
    imageInode: inode,
    view: viewOf(command),
  }));
  copyChunks(metadata, { access, plan });
  return metadata.bytes;
}

function copyChunks(
  metadata: ViewMetadata,
  { access, plan }: { readonly access: ImageAccess; readonly plan: ViewPlan },
): void {
  const chunkBytes = 2 ** plan.chunkBits;
  const buffer = new IoBuffer(chunkBytes);
  const request = new ReadRequest();
  plan.copies.forEach((chunk, index) => {
    const start = chunk * chunkBytes;
    const count = Math.min(chunkBytes, access.sizeBytes - start);
    access.read(request.ask(start, count).into(buffer, 0));
    metadata.bytes.set(buffer.bytes.subarray(0, count), metadata.copyPosition(index));
  });
}

/** The image's own path: what sysfs shows as the backing file. */
function pathInView(imagePath: string): string {
  return diskPath(imagePath).slice(1);
}

interface Finish {
  readonly file: Fd;
  readonly device: string | undefined;
}

function finish({ command, imagePath, states }: AttachRequest, { file, device }: Finish): Attached {
  using loop = new ProvisionalLoop({
    ...(device === undefined ? {} : { device }),
    backingPath: imagePath,
    backing: new LentFd(file.number),
    readOnly: true,
    directIo: "preferred",
    partScan: command.partScan,
    sectorSizeBytes: sectorBytes(command),
    offsetBytes: command.offsetBytes,
    sizeLimitBytes: command.sizeLimitBytes,
    label: command.loopReference ?? imagePath,
  });
  const { path } = loop;
  tuneQueue(baseName(path), QUEUE);
  if (command.partScan) showPartitions(path);
  states.forgetKilled(path);
  ignoreInterruptions();
  loop.keep();
  const warnings = command.readOnly
    ? []
    : ["warning: a view is only read: the device is read-only"];
  return { shown: path, device: path, isNew: true, warnings };
}
