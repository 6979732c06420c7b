/**
 * What lies below a view: the devices of an image's files, that of the metadata, and the file system.
 *
 * @module
 */
import { type LoopDirectIo, ProvisionalLoop } from "../kernel/loop.ts";
import { memoryFile } from "../kernel/memory_file.ts";
import { mountNowhere, type MountParameter, requireFileSystem } from "../kernel/mount_api.ts";
import { METADATA_NAME, VIEW_LABELS } from "../kernel/view_labels.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { CommandError } from "../sys/command_error.ts";
import { EINVAL, ENODEV, ENOSYS, ENOTBLK, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { type Fd, LentFd } from "../sys/files.ts";
import type { ViewForm } from "../view/form.ts";
import type { ServedWindow } from "../view/served_windows.ts";
import { NoViewError } from "./no_view_error.ts";

const SECTOR_BYTES = 512;
const FILE_SYSTEM = "erofs";

/** Size of the device that shows a file: whole sectors. */
export function deviceBytes({ sizeBytes, status }: ImageFile): number {
  return status.kind === "block" ? sizeBytes : sizeBytes - sizeBytes % SECTOR_BYTES;
}

/**
 * The devices that show the files of an image, with the locks of these, each from where it is to begin; a
 * block device shows itself.
 */
export class LowerDevices implements Disposable {
  readonly paths: readonly string[];
  readonly #loops: ProvisionalLoop[] = [];

  /**
   * @param starts as {@link ViewForm.fileStarts}
   * @throws as {@link ProvisionalLoop}
   */
  constructor(files: readonly ImageFile[], starts: readonly number[]) {
    try {
      this.paths = files.map((file, index) => this.#deviceOf(file, starts[index] ?? 0));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #deviceOf({ fd, path, status }: ImageFile, offsetBytes: number): string {
    if (status.kind === "block") return path;
    const loop = lowerLoop(new LentFd(fd), { path, label: VIEW_LABELS.file, offsetBytes });
    this.#loops.push(loop);
    return loop.path;
  }

  /** Lets go of them: those that the view does not hold are detached. */
  [Symbol.dispose](): void {
    for (const loop of this.#loops) loop[Symbol.dispose]();
  }
}

/** A device with the metadata, which are kept in memory as long as it is attached. */
export function metadataDevice(metadata: Uint8Array<ArrayBuffer>): ProvisionalLoop {
  using file = memoryFile(METADATA_NAME, metadata);
  return lowerLoop(new LentFd(file.number), { path: "metadata", label: VIEW_LABELS.metadata });
}

/** A device with the metadata as a daemon makes them, up to `sizeBytes`. */
export function demandDevice(file: Fd, sizeLimitBytes: number): ProvisionalLoop {
  const label = VIEW_LABELS.metadata;
  return lowerLoop(new LentFd(file.number), { path: "metadata", label, sizeLimitBytes, ...SERVED });
}

/** The devices with the disk as a daemon serves it. */
export class ServedDevices implements Disposable {
  readonly paths: readonly string[];
  readonly #loops: ProvisionalLoop[] = [];

  /** @throws as {@link ProvisionalLoop} */
  constructor(file: Fd, windows: readonly ServedWindow[]) {
    try {
      for (const { startBytes: offsetBytes, sizeBytes: sizeLimitBytes } of windows) {
        const part = { path: "served", label: VIEW_LABELS.served, offsetBytes, sizeLimitBytes };
        this.#loops.push(lowerLoop(new LentFd(file.number), { ...part, ...SERVED }));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.paths = this.#loops.map(({ path }) => path);
  }

  /** Lets go of them: those that the view does not hold are detached. */
  [Symbol.dispose](): void {
    for (const loop of this.#loops) loop[Symbol.dispose]();
  }
}

/** What is read of a daemon is not cached once more. */
const SERVED = { directIo: "preferred" } as const;

interface LowerLoop {
  readonly path: string;
  readonly label: string;
  readonly directIo?: LoopDirectIo;
  readonly offsetBytes?: number;
  readonly sizeLimitBytes?: number;
}

function lowerLoop(
  backing: LentFd,
  { path, directIo = "no", ...more }: LowerLoop,
): ProvisionalLoop {
  return new ProvisionalLoop({
    high: true,
    backingPath: path,
    backing,
    readOnly: true,
    directIo,
    partScan: false,
    sectorSizeBytes: 0,
    ...more,
  });
}

/**
 * Makes sure that the kernel has the file system of views, before anything is read for one.
 *
 * @throws {NoViewError} if not
 */
export function requireViews(): void {
  withoutViews(() => requireFileSystem(FILE_SYSTEM));
}

/**
 * Mounts a view's file system nowhere.
 *
 * @param source device of the metadata
 * @param devices of the files, in their order
 * @returns a descriptor of its root
 * @throws {NoViewError} where the kernel cannot
 */
export function mountView(
  source: string,
  devices: readonly string[],
  { isDecoding }: Pick<ViewForm, "isDecoding">,
): Fd {
  const below = devices.map((device): MountParameter => ["device", device]);
  // Otherwise stored bytes are kept in memory besides what they are decompressed to.
  const decoding: MountParameter[] = isDecoding ? [["cache_strategy", "disabled"]] : [];
  const mount = (): Fd =>
    mountNowhere({
      type: FILE_SYSTEM,
      parameters: { source },
      further: [["ro"], ...decoding, ...below],
      devices: false,
    });
  return withoutViews(mount, isDecoding ? new CommandError(NO_DECODING) : undefined);
}

/** What kernels answer that have no EROFS, or not enough of it. */
const NO_VIEWS: readonly number[] = [
  ENODEV,
  ENOSYS,
  EINVAL,
  ENOTBLK,
  EOPNOTSUPP,
];
const NO_DEVICES = "the kernel has no EROFS that takes several devices (Linux 5.16)";
const NO_DECODING =
  "the kernel has no EROFS that decompresses what the image has (Linux 6.15, and " +
  "zlib or zstd, whichever it is, enabled there); it works without --kernel-decode";

function withoutViews<T>(action: () => T, refusal: Error = new NoViewError(NO_DEVICES)): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError) || !NO_VIEWS.includes(error.errno)) throw error;
    throw refusal;
  }
}
