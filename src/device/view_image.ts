/**
 * What a view is made of, as far as the image alone decides it: which parts of the disk the kernel can
 * read, and the metadata by which it finds them.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { lockImage } from "../disk/lock.ts";
import { openImage, openImageFile } from "../disk/open.ts";
import { ReadRequest } from "../disk/reader.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { CommandError } from "../sys/command_error.ts";
import { IoBuffer } from "../sys/memory.ts";
import { encodeDescription } from "../view/description.ts";
import { ViewMetadata } from "../view/metadata.ts";
import { planView, type ViewPlan } from "../view/plan.ts";
import { listRuns } from "../view/run_list.ts";
import { type AttachRequest, imageRequest, viewOf } from "./attach_common.ts";
import { deviceBytes } from "./view_devices.ts";

/** What else there is for what a view cannot show. */
const OTHERS = "(--transport nbd or fuse)";
/** The disk that is served ends with a whole block, of whatever size a view's are. */
const SERVED_BLOCK_BYTES = 4096;

/** The image of a view: the whole disk, read-only, locked. */
export class ViewImage implements Disposable {
  readonly access: ImageAccess;
  readonly plan: ViewPlan;
  readonly #request: AttachRequest;

  /** @throws {Error} if the image cannot be opened, or no view made of it */
  constructor(request: AttachRequest) {
    this.#request = request;
    this.access = open(request);
    try {
      this.plan = planOf(this.access);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether a daemon has to serve a part of the disk. */
  get needsServer(): boolean {
    return this.plan.serverChunks > 0;
  }

  /** The metadata of its file system. */
  metadata(): Uint8Array<ArrayBuffer> {
    const { access, plan } = this;
    const { command, imagePath } = this.#request;
    const fileSizes = access.files.map(deviceBytes);
    const served = this.needsServer ? [servedBytes(access.sizeBytes)] : [];
    const metadata = new ViewMetadata({
      plan,
      path: pathInView(imagePath),
      deviceSizes: [...fileSizes, ...served],
      // Device 0 is that of the metadata.
      serverDevice: this.needsServer ? fileSizes.length + 1 : undefined,
    });
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

  [Symbol.dispose](): void {
    this.access[Symbol.dispose]();
  }
}

/** What is served of an image: all of its disk, at the same offsets, and zeros up to a whole block. */
export const SERVED_IMAGE = {
  readOnly: true,
  offsetBytes: 0,
  sizeLimitBytes: 0,
  paddedToBytes: SERVED_BLOCK_BYTES,
} as const;

function servedBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / SERVED_BLOCK_BYTES) * SERVED_BLOCK_BYTES;
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

/** @throws {CommandError} if the kernel cannot find any of the disk by itself, or only with difficulty */
function planOf(access: ImageAccess): ViewPlan {
  const { sizeBytes } = access;
  const fileSizes = access.files.map(deviceBytes);
  const plan = planView(listRuns(access), { sizeBytes, fileSizes });
  if (plan.serverChunks > 0 && plan.plainChunks === 0) {
    throw new CommandError(
      `all of its clusters are compressed, encrypted or not aligned: ${OTHERS} is for those`,
    );
  }
  return plan;
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
export function pathInView(imagePath: string): string {
  return diskPath(imagePath).slice(1);
}
