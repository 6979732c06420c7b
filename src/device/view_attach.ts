/**
 * Attaching an image to a loop device without any server, as far as that goes: the kernel itself finds
 * the clusters, by way of a small file system whose only file is the disk, and which is mounted nowhere.
 *
 *     image ── loop ──────────────────┐
 *     base  ── loop ──────────────────┼── EROFS ── file ── /dev/loopN
 *     metadata ─ loop ────────────────┤
 *     image ── daemon ══ file ── loop ┘
 *
 * The upper loop device holds the file, that the file system, and that the lower loop devices, which go
 * with their last user: when the upper one is detached, by whatever tool, all of it goes. The lower
 * ones hold the files with their locks, so that the image stays locked without any process.
 *
 * Like those of losetup, the upper device reads through the page cache unless direct I/O is asked for:
 * what is in there does not have to go through the lower ones once more, and comes as fast as from a
 * raw image (with direct I/O: 0.73 of that, 4 KiB at depth 1). Where the kernel would mistake one file
 * for another then (view/metadata.ts), direct I/O it is.
 *
 * Only where there are clusters that the kernel cannot read (compressed, encrypted, not aligned), a
 * daemon serves those. If it is killed, the others are read as before.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { windowOf } from "../disk/window.ts";
import { RAW } from "../image/formats.ts";
import { UNUSED_PASSPHRASE } from "../image/key_ring.ts";
import { openInMount } from "../kernel/fuse_mount.ts";
import { ProvisionalLoop } from "../kernel/loop.ts";
import { loopStatusIfAny } from "../kernel/loop_status.ts";
import { requireLoop } from "../kernel/modules.ts";
import { tuneQueue } from "../kernel/nbd_devices.ts";
import { showPartitions } from "../kernel/partitions.ts";
import { CommandError } from "../sys/command_error.ts";
import { type Fd, LentFd } from "../sys/files.ts";
import { baseName } from "../sys/paths.ts";
import { ignoreInterruptions } from "../sys/signals.ts";
import type { ServedLayout } from "../view/served_layout.ts";
import { type Attached, type AttachRequest, QUEUE, warn, wholeSectors } from "./attach_common.ts";
import { freeDeviceNamed } from "./device_names.ts";
import { NoViewError } from "./no_view_error.ts";
import { ServedFile } from "./served_file.ts";
import {
  demandDevice,
  LowerDevices,
  metadataDevice,
  mountView,
  requireViews,
  ServedDevices,
} from "./view_devices.ts";
import { pathInView, SERVED_IMAGE, servedLayout, ViewImage } from "./view_image.ts";

/** @throws {Error} if it fails; nothing is left behind then */
export function attachView(request: AttachRequest): Attached {
  const device = freeDeviceNamed(request.command);
  if (device?.kind === "nbd") {
    throw new CommandError(
      `${device.path}: transport 'view' makes loop devices: name one, or --find`,
    );
  }
  requireLoop();
  requireViews();
  using image = new ViewImage(request);
  if (request.command.transport === "auto") refuseOtherDisks(image.access);
  const { needsServer } = image.form;
  if (!needsServer) refuseLocked(image.access);
  if (needsServer) request.daemons.startAhead("device");
  using below = new LowerDevices(image.access.files, image.form.fileStarts);
  const formed = image.metadata();
  using served = needsServer ? serve(image.access, request, servedLayout(formed)) : undefined;
  using metadata = served !== undefined && formed.demand !== undefined
    ? demandDevice(served.file, formed.leadBytes)
    : metadataDevice(formed.bytes);
  using windows = served && new ServedDevices(served.file, formed.windows);
  const devices = [...below.paths, ...windows?.paths ?? []];
  using root = mountView(metadata.path, devices, image.form);
  using file = openInMount(root, pathInView(request.imagePath), { readOnly: true });
  const { needsDirectIo } = formed;
  return finish(request, { image, file, device: device?.path, served, needsDirectIo });
}

/**
 * What is encrypted is only shown to who has the key, be there anything to decrypt or not: a server asks
 * for it.
 *
 * @throws {NoViewError} if it is
 */
function refuseLocked({ isEncrypted }: ImageAccess): void {
  if (isEncrypted) {
    throw new NoViewError(
      "it is encrypted, and nothing stored in it would tell a wrong passphrase",
    );
  }
}

/**
 * Some file's device would be a disk of its own to whoever looks for file systems on all disks: udev
 * finds each twice then. That is for those who ask for it.
 *
 * @throws {NoViewError} if there is such a file
 */
function refuseOtherDisks({ files, formats }: ImageAccess): void {
  if (files.length > formats.length || formats.slice(1).includes(RAW.name)) {
    throw new NoViewError(
      "it lies on, or consists of, files that others may take for disks of their own (--transport view)",
    );
  }
}

function checkSize({ access, sectorBytes }: ViewImage, request: AttachRequest): void {
  wholeSectors(request, windowOf(access.sizeBytes, request.command), sectorBytes);
}

/** @throws {NoViewError} if the kernel has not taken it, so that wrong bytes would be read */
function requireDirectIo(device: string): void {
  if (loopStatusIfAny(device)?.directIo === true) return;
  throw new NoViewError("its files have to be read by direct I/O, which the offset does not allow");
}

/** A daemon would have told them, and does where there is one. */
function tellWarnings({ warnings }: ImageAccess, request: AttachRequest): void {
  for (const text of warnings) warn(request, text);
  if (request.passphrase === undefined) return;
  warn(request, UNUSED_PASSPHRASE);
}

/**
 * Has a daemon serve the disk.
 *
 * @throws {Error} if it cannot, or does not find the same files that the view is made of
 */
function serve(
  { files }: ImageAccess,
  request: AttachRequest,
  servedLayout: ServedLayout,
): ServedFile {
  const served = new ServedFile(request, { transport: "view", image: SERVED_IMAGE, servedLayout });
  const found = served.ready.files;
  const areSame = found.length === files.length &&
    files.every(({ identity }, index) => identity === found[index]);
  if (areSame) return served;
  served[Symbol.dispose]();
  throw new CommandError("the image, or one below it, was replaced meanwhile");
}

interface Finish {
  readonly image: ViewImage;
  readonly file: Fd;
  readonly device: string | undefined;
  readonly served: ServedFile | undefined;
  /** As {@link FormedMetadata.needsDirectIo}. */
  readonly needsDirectIo: boolean;
}

/** Warnings come last: where there can be no view after all, somebody else gives them. */
function finish(request: AttachRequest, view: Finish): Attached {
  const { image, file, device, served, needsDirectIo } = view;
  const { command, imagePath, states } = request;
  const { access, sizeLimitBytes } = image;
  using loop = new ProvisionalLoop({
    ...(device === undefined ? {} : { device }),
    backingPath: imagePath,
    backing: new LentFd(file.number),
    readOnly: true,
    directIo: needsDirectIo || command.directIo === "on" ? "preferred" : "no",
    partScan: command.partScan,
    sectorSizeBytes: image.sectorBytes,
    offsetBytes: command.offsetBytes,
    sizeLimitBytes,
    label: command.loopReference ?? imagePath,
  });
  const { path } = loop;
  if (needsDirectIo) requireDirectIo(path);
  tuneQueue(baseName(path), QUEUE);
  if (command.partScan) showPartitions(path);
  checkSize(image, request);
  if (served === undefined) tellWarnings(access, request);
  if (served === undefined) states.forgetKilled(path);
  else served.confirm(path);
  ignoreInterruptions();
  loop.keep();
  const warnings = command.readOnly
    ? []
    : ["warning: a view is only read: the device is read-only"];
  return { shown: path, device: path, isNew: true, warnings };
}
