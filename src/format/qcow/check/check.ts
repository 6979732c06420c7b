/**
 * Checking an image of version 2 or 3, as `qemu-img check` does.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../../image/checking.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { readHeader } from "../header.ts";
import { type Survey, survey } from "./survey.ts";

/**
 * Looks at all of an image's metadata; needs no key, and no other file.
 *
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 * @throws {RangeError} if that takes too much memory
 * @throws {SystemError} if the file cannot be read
 */
export function checkQcow(file: ImageFile, options: CheckOptions): CheckResult {
  return resultOf(survey(file, readHeader(file), options));
}

function resultOf({ header, findings, fill, lastCluster }: Survey): CheckResult {
  const { clusterBytes, sizeBytes } = header;
  return {
    corruptions: findings.corruptions,
    leaks: findings.leaks,
    corruptionsFixed: 0,
    leaksFixed: 0,
    imageEndOffset: (lastCluster + 1) * clusterBytes,
    totalClusters: Math.ceil(sizeBytes / clusterBytes),
    allocatedClusters: fill.allocated,
    fragmentedClusters: fill.fragmented,
    compressedClusters: fill.compressed,
  };
}
