/**
 * Changing the internal snapshots of an image that nobody else has open.
 *
 * @module
 */
import { refuseHugeFile } from "../image/exact.ts";
import type { SnapshotChange } from "../image/snapshot_change.ts";
import { lookWith } from "./format_hints.ts";
import { openToInspect } from "./inspect.ts";

/**
 * Changes those of the image at `path`, whose format is `auto` or a canonical name; what it names is left
 * alone, and no key is needed.
 *
 * @throws as {@link openToInspect} and {@link FormatDriver.changeSnapshots}
 * @throws {RangeError} if images of its format have no snapshots
 */
export function changeImageSnapshots(path: string, format: string, change: SnapshotChange): void {
  const request = { format, readOnly: false, offsetBytes: 0, sizeLimitBytes: 0 };
  const opened = openToInspect(path, { request, ignoreLocks: false, writes: true });
  using file = opened.file;
  const { driver } = opened;
  refuseHugeFile(file, driver.name);
  const { changeSnapshots } = driver;
  if (changeSnapshots === undefined) {
    throw new RangeError(`${driver.name} images have no internal snapshots`);
  }
  lookWith({ driver, file }, () => changeSnapshots(file, change));
}
