/**
 * Sizes that no number can hold. Offsets are numbers everywhere, which are exact below 2^53: disks and
 * files of 8 PiB and more can be described, but not served.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { UnsupportedFeatureError } from "./errors.ts";

/** `value` as a number, if that holds it exactly. */
export function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/**
 * The size of a disk as a number.
 *
 * @throws {UnsupportedFeatureError} if none holds it
 */
export function servedSize(sizeBytes: bigint, format: string, path: string): number {
  const number = exact(sizeBytes);
  if (typeof number === "number") return number;
  throw new UnsupportedFeatureError(format, path, "a disk of 8 PiB or more");
}

/** @throws {UnsupportedFeatureError} if places in `file` cannot be told by numbers */
export function refuseHugeFile({ sizeBytes, path }: ImageFile, format: string): void {
  if (Number.isSafeInteger(sizeBytes)) return;
  throw new UnsupportedFeatureError(format, path, "8 PiB or more");
}
