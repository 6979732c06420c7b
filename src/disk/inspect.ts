/**
 * Looking into an image and the images below it, without showing their disks.
 *
 * @module
 */
import { openFileStatus } from "../sys/files.ts";
import { Chain, type Layer } from "./chain.ts";
import type { FormatDriver, MemoryLimit } from "../image/driver.ts";
import { RelatedFileError } from "../image/errors.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { ImageInfo } from "../image/info.ts";
import { RAW } from "../image/formats.ts";
import { filesOf } from "./disk_files.ts";
import { contentHint, lookWith } from "./format_hints.ts";
import { lockImage } from "./lock.ts";
import { openImageFile, openToWrite } from "./open_file.ts";
import { driverFor } from "./probe.ts";
import type { ImageRequest } from "./request.ts";

/** One image of a chain. */
export interface InspectedImage {
  readonly path: string;
  readonly info: ImageInfo;
  /** Space that the file system has given to it and its pieces (not to its data file), in bytes. */
  readonly allocatedBytes: number;
}

/** What could be found out. */
export interface Inspection {
  /** The image, the one below it, and so on. */
  readonly images: readonly InspectedImage[];
  /** Files that are named but could not be looked into, and why. */
  readonly problems: readonly string[];
  /** What else there is to be said of the first one. */
  readonly hint?: string | undefined;
}

export interface InspectOptions {
  /** The canonical name of a format, or `auto`. */
  readonly request: ImageRequest;
  /** Whether an image is looked into that somebody is writing to. */
  readonly ignoreLocks: boolean;
  /** Whether it is opened for writing, too. */
  readonly writes?: boolean;
}

/**
 * Opens an image file to be looked into.
 *
 * @throws {Error} as {@link openToWrite}
 * @throws {ImageInUseError} if somebody is writing to it, or uses it that is to be written to
 */
export function openToInspect(
  path: string,
  { request, ignoreLocks, writes = false }: InspectOptions,
): { readonly file: ImageFile; readonly driver: FormatDriver } {
  const file = writes ? openToWrite(path) : openImageFile(path, { readOnly: true }).file;
  try {
    if (!ignoreLocks) lockImage(file, writes ? "write" : "read");
    return { file, driver: driverFor(request.format, file) };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/**
 * What the image at `path`, and those below it, say of themselves.
 *
 * @throws {ImageFormatError} if the first one is damaged; as {@link openToInspect}
 */
export function inspect(path: string, options: InspectOptions): Inspection {
  const top = openToInspect(path, options);
  using _file = top.file;
  using chain = new Chain(top, options);
  const images: InspectedImage[] = [];
  const problems: string[] = [];
  try {
    for (let layer: Layer | undefined = top; layer !== undefined;) {
      const info = infoOf(layer, chain);
      const allocatedBytes = spaceOf(layer, layer === top ? options : below(options), problems);
      images.push({ path: layer.file.path, info, allocatedBytes });
      layer = chain.openLayer(layer.file, info);
    }
    chain.refuseUnusedParents();
  } catch (error) {
    if (images.length === 0 || !(error instanceof Error)) throw error;
    problems.push(problemBelow(error, chain.layers[images.length]));
  }
  const hint = top.driver.name === RAW.name ? contentHint(top.file) : undefined;
  return { images, problems, hint };
}

function infoOf(layer: Layer, memory: MemoryLimit): ImageInfo {
  const { file, driver } = layer;
  return lookWith(layer, () => {
    if (driver.info !== undefined) return driver.info(file, memory);
    using image = driver.open(file, { readOnly: true });
    return { format: driver.name.toLowerCase(), sizeBytes: image.sizeBytes };
  });
}

/** The folder that names start from may be another one than where the file is, but for the top image only. */
function below({ request, ignoreLocks }: InspectOptions): InspectOptions {
  const { namesFolder: _folder, ...rest } = request;
  return { request: rest, ignoreLocks };
}

/** Without the pieces that are missing, which is a problem. */
function spaceOf(layer: Layer, options: InspectOptions, problems: string[]): number {
  try {
    return filesOf(layer, options, (files) => files.reduce((sum, file) => sum + spaceIn(file), 0));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    problems.push(problemBelow(error, layer));
    return spaceIn(layer.file);
  }
}

function spaceIn(file: ImageFile): number {
  return openFileStatus(file.fd).allocatedBytes;
}

/** An error of the file itself does not say which file it was. */
function problemBelow(error: Error, layer: Layer | undefined): string {
  if (error instanceof RelatedFileError || layer === undefined) return error.message;
  return `${layer.file.path}: ${error.message}`;
}
