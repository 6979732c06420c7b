/**
 * What a view is made of, as far as the image alone decides it: which parts of the disk the kernel can
 * read, and the metadata by which it finds them.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { lockImage } from "../disk/lock.ts";
import { openImage } from "../disk/open.ts";
import { openImageFile } from "../disk/open_file.ts";
import { sectorBytesOf } from "../disk/sector_size.ts";
import { windowOf } from "../disk/window.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { RAW } from "../image/formats.ts";
import { encodeDescription, type ViewDescription } from "../view/description.ts";
import { viewForm } from "../view/choose_form.ts";
import type { FormedMetadata, ViewForm } from "../view/form.ts";
import { encodeHead } from "../view/demand_layout.ts";
import type { ServedLayout } from "../view/served_layout.ts";
import { SERVED_LEAD_BYTES } from "../view/served_windows.ts";
import { type AttachRequest, imageRequest, viewOf } from "./attach_common.ts";
import { NoViewError } from "./no_view_error.ts";
import { deviceBytes } from "./view_devices.ts";

/** The image of a view: the whole disk, read-only, locked. */
export class ViewImage implements Disposable {
  readonly access: ImageAccess;
  readonly form: ViewForm;
  /** Logical block size of the device. */
  readonly sectorBytes: number;
  readonly #request: AttachRequest;

  /** @throws {Error} if the image cannot be opened, or no view made of it */
  constructor(request: AttachRequest) {
    this.#request = request;
    this.access = open(request);
    try {
      this.form = formOf(this.access, request);
      this.sectorBytes = sectorsOf(this, request);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The metadata of its file system, with what it says of itself. */
  metadata(): FormedMetadata {
    const metadata = this.form.metadata(pathInView(this.#request.imagePath));
    metadata.bytes.set(encodeDescription(this.#describe(metadata)));
    return metadata;
  }

  /** How many bytes the device may have, 0 for all: where they end with a part of a sector, reads fail. */
  get sizeLimitBytes(): number {
    const { command } = this.#request;
    const { sizeBytes } = windowOf(this.access.sizeBytes, command);
    const rest = sizeBytes % this.sectorBytes;
    return rest === 0 ? command.sizeLimitBytes : sizeBytes - rest;
  }

  #describe({ needsDirectIo }: FormedMetadata): ViewDescription {
    const { command, imagePath } = this.#request;
    const { sizeLimitBytes } = command;
    const { deviceMajor, deviceMinor, inode } = this.access.files[0]?.status ??
      { deviceMajor: 0, deviceMinor: 0, inode: 0 };
    return {
      image: imagePath,
      format: this.access.formats[0] ?? RAW.name,
      imageDevice: [deviceMajor, deviceMinor],
      imageInode: inode,
      view: viewOf(command),
      ...(this.sizeLimitBytes === sizeLimitBytes ? {} : { sizeLimitBytes }),
      ...(needsDirectIo ? { needsDirectIo } : {}),
    };
  }

  [Symbol.dispose](): void {
    this.access[Symbol.dispose]();
  }
}

/** What is served of an image: all of its disk, at the same offsets, and zeros up to a whole block. */
export const SERVED_IMAGE = {
  readOnly: true,
  offsetBytes: 0,
  sizeLimitBytes: 0,
  paddedToBytes: SERVED_LEAD_BYTES,
} as const;

/** What is served besides it. */
export function servedLayout({ leadBytes, demand, bytes }: FormedMetadata): ServedLayout {
  if (demand === undefined) return { leadBytes };
  return { leadBytes, metadata: { ...demand, head: encodeHead(bytes) } };
}

/** Where things are can be told without any key; what has to be decrypted is not read here. */
function open({ command, imagePath }: AttachRequest): ImageAccess {
  const { file } = openImageFile(imagePath, { readOnly: true });
  try {
    lockImage(file, "read");
    const whole = { ...imageRequest(command), offsetBytes: 0, sizeLimitBytes: 0, readOnly: true };
    return openImage(file, whole, { mapOnly: true });
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/**
 * Only what is stored as it is can be read here: what is compressed or encrypted is a daemon's to look into.
 *
 * @throws {NoViewError} if it might have to
 */
function sectorsOf(
  { access, form }: Pick<ViewImage, "access" | "form">,
  request: AttachRequest,
): number {
  const { command } = request;
  if (command.sectorBytes === "auto" && (form.needsServer || form.isDecoding)) {
    throw new NoViewError("the partition table may be compressed or encrypted; -b <num> would do");
  }
  return sectorBytesOf(access, command.sectorBytes, windowOf(access.sizeBytes, command));
}

/** @throws {NoViewError} if the kernel cannot read any of the disk by itself */
function formOf(access: ImageAccess, { command }: AttachRequest): ViewForm {
  const fileSizes = access.files.map(deviceBytes);
  const form = viewForm({ access, fileSizes }, command.kernelDecode);
  if (form.servedShare <= MOST_SERVED[command.transport === "auto" ? "unasked" : "asked"]) {
    return form;
  }
  const howMany = form.servedShare === 1 ? "all" : "most";
  throw new NoViewError(`${howMany} of its clusters are compressed, encrypted or not aligned`);
}

/**
 * How much of what is stored may be a daemon's. Over FUSE alone such clusters take from a half (4 KiB at
 * random, 32 at a time) to all of the time they take in a view, where plain ones are read 2 to 5 times as
 * fast.
 */
const MOST_SERVED = { unasked: 0.5, asked: 1 - Number.EPSILON } as const;

/** The image's own path: what sysfs shows as the backing file. */
export function pathInView(imagePath: string): string {
  return diskPath(imagePath).slice(1);
}
