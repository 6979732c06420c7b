/**
 * Checking an image file, and repairing it.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../image/checking.ts";
import { refuseHugeFile } from "../image/exact.ts";
import { checkContent } from "./check_content.ts";
import { lookWith } from "./format_hints.ts";
import { type InspectOptions, openToInspect } from "./inspect.ts";

/** What came of it. */
export interface CheckedImage {
  /** The format as qemu names it. */
  readonly format: string;
  /** Undefined if images of this format cannot be checked. */
  readonly result: CheckResult | undefined;
}

/**
 * Checks the image at `path`; what it names is left alone.
 *
 * @throws as {@link openToInspect} and {@link FormatDriver.check}
 */
export function checkImage(
  path: string,
  options: InspectOptions,
  check: CheckOptions,
): CheckedImage {
  const opened = openToInspect(path, options);
  using file = opened.file;
  const { driver } = opened;
  refuseHugeFile(file, driver.name);
  if (driver.contentSteps !== undefined) {
    const result = lookWith(opened, () => checkContent(opened, options, check));
    return { format: driver.info?.(file).format ?? driver.name, result };
  }
  if (driver.check === undefined) return { format: driver.name, result: undefined };
  const look = driver.check;
  const result = lookWith({ driver, file }, () => look(file, check));
  return { format: driver.info?.(file).format ?? driver.name, result };
}
