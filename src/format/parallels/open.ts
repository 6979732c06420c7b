/**
 * Opening an image, or a disk that is a folder with several.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../image/checking.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { readDescriptor } from "./bundle/descriptor.ts";
import { isDescriptor } from "./bundle/mark.ts";
import { describeBundle } from "./bundle/info.ts";
import { openBundle } from "./bundle/open.ts";
import { checkExpanding } from "./check.ts";
import { describeExpanding } from "./info.ts";
import { openExpanding } from "./open_expanding.ts";
import { readHeader } from "./header.ts";
import { obstacleInBundle, obstacleInHeader } from "./write/obstacle.ts";

/** A descriptor is told by so much of it. */
const HEAD_BYTES = 2048;

/** @throws as {@link openExpanding} and {@link openBundle} */
export function openParallels(file: ImageFile, options: OpenOptions): Image {
  return isBundle(file) ? openBundle(file, options) : openExpanding(file, options);
}

/** @throws as {@link describeExpanding} and {@link describeBundle} */
export function describeParallels(file: ImageFile): ImageInfo {
  return isBundle(file) ? describeBundle(file) : describeExpanding(file);
}

/** @throws as {@link describeParallels} */
export function obstacleIn(file: ImageFile): string | undefined {
  return isBundle(file)
    ? obstacleInBundle(readDescriptor(file))
    : obstacleInHeader(readHeader(file));
}

/**
 * @throws as {@link checkExpanding}
 * @throws {UnsupportedFeatureError} if it is a folder: each of its images is checked by itself
 */
export function checkParallels(file: ImageFile, options: CheckOptions): CheckResult {
  if (!isBundle(file)) return checkExpanding(file, options);
  throw new UnsupportedFeatureError(PARALLELS.name, file.path, "a check of all images of a folder");
}

function isBundle(file: ImageFile): boolean {
  const head = new IoBuffer(Math.min(HEAD_BYTES, file.sizeBytes));
  file.read(head, 0, 0, head.size);
  return isDescriptor(head.bytes);
}
