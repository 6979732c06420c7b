/**
 * Checking an image of version 2 or 3, as `qemu-img check` does.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../../image/checking.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { readHeader } from "../header.ts";
import { HeaderWriter } from "../write/header_writer.ts";
import { repair, type RepairOptions } from "./repair.ts";
import { type Survey, survey } from "./survey.ts";

/**
 * Looks at all of an image's metadata, and repairs them if that is wanted; needs no key, and no other
 * file. What is found after a repair is what the answer tells.
 *
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 * @throws {RangeError} if that takes too much memory
 * @throws {SystemError} if the file cannot be read, or written
 */
export function checkQcow(file: ImageFile, options: CheckOptions): CheckResult {
  const found = survey(file, readHeader(file), options);
  const { repair: wanted } = options;
  return wanted === "none"
    ? resultOf(found)
    : repaired(file, found, { ...options, repair: wanted });
}

/**
 * Repairs an image in which `found` has been found, and tells what is left.
 *
 * @throws as {@link checkQcow}
 */
export function repaired(file: ImageFile, found: Survey, options: RepairOptions): CheckResult {
  const rest = repair(file, found, options) ? survey(file, readHeader(file), options) : found;
  const { corruptions, leaks } = rest.findings;
  if (corruptions === 0) new HeaderWriter(file, rest.header).clearFaults();
  return {
    ...resultOf(rest),
    corruptionsFixed: Math.max(0, found.findings.corruptions - corruptions),
    leaksFixed: Math.max(0, found.findings.leaks - leaks),
  };
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
