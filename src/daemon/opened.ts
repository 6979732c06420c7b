/**
 * Opening the image of a job.
 *
 * @module
 */
import { lookWith, rawHint } from "../disk/format_hints.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { partHint } from "../disk/image_folder.ts";
import { lockImage, WITHOUT_LOCKS } from "../disk/lock.ts";
import { openImage } from "../disk/open.ts";
import { openImageFile, reopenReadOnly } from "../disk/open_file.ts";
import { type Base, lastingOverlay } from "../disk/lasting_overlay.ts";
import type { Overlay } from "../disk/overlay.ts";
import type { KeptChanges } from "../disk/change_journal.ts";
import { temporaryOverlay } from "../disk/temporary_overlay.ts";
import { driverFor } from "../disk/probe.ts";
import type { ImageRequest } from "../disk/request.ts";
import type { FormatDriver } from "../image/driver.ts";
import { RAW } from "../image/formats.ts";
import { forgetPassphrase, type KeyRing, keyRing, UNUSED_PASSPHRASE } from "../image/key_ring.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { TemporaryOptions } from "../storage/temporary_file.ts";
import { MAX_DECODE_THREADS, ThreadedDecodeLane } from "../serve/decode_lane.ts";
import type { Job } from "./job.ts";

/** What the user had better know who does not see what the image's own writes would have been. */
const PLAIN = "what is written to the overlay is not encrypted";

/** An image that is open and locked. */
export interface Opened {
  readonly access: ImageAccess;
  /** What other threads need to open it once more: the keys of its disks, no passphrase. */
  readonly keys: KeyRing;
  readonly decoding: ThreadedDecodeLane;
  /** What was asked for, with the format found out and the access that was possible. */
  readonly request: ImageRequest;
  readonly warnings: readonly string[];
}

/**
 * Opens and locks it.
 *
 * @param kept what outlives the daemon of its changes
 * @throws {Error} if it cannot be served as it shall
 */
export function openJob(job: Job, kept?: KeptChanges): Opened {
  const asked = job.image;
  const isKept = asked.readOnly || asked.overlay !== undefined;
  const first = openImageFile(job.imagePath, { readOnly: isKept });
  const driver = driverFor(asked.format, first.file);
  const warnings: string[] = [];
  let { file, readOnly } = first;
  const obstacle = readOnly ? undefined : obstacleToWriting(driver, asked, file);
  if (obstacle !== undefined) {
    // Reopened, so that nothing in this process could write to it.
    file = reopenReadOnly(file);
    readOnly = true;
    warnings.push(`${obstacle}: the device is read-only`);
  } else if (readOnly && !isKept) {
    const what = file.status.kind === "block"
      ? "it is a read-only device"
      : "the file is write-protected";
    warnings.push(`${what}: the device is read-only`);
  }
  if (!lockImage(file, readOnly ? "read" : "write")) warnings.push(WITHOUT_LOCKS);
  const hint = driver.name === RAW.name ? rawHint(file) : undefined;
  if (hint !== undefined) warnings.push(hint);
  const part = partHint(job.imagePath, driver.name);
  if (part !== undefined) warnings.push(part);
  const request = {
    ...asked,
    format: driver.name,
    readOnly: asked.overlay === undefined ? readOnly : asked.readOnly,
  };
  const keys = keyRing(job.passphrase);
  const decoding = new ThreadedDecodeLane(Math.min(job.threads - 1, MAX_DECODE_THREADS));
  const outlivesProcess = kept !== undefined;
  const overlay = overlayFor(asked, { file, driver }, { outlivesProcess });
  const access = openImage(file, request, {
    keys,
    decoding,
    kept,
    ...(overlay === undefined ? {} : { overlay }),
  });
  if (job.passphrase !== undefined && keys.volumeKeys.size === 0) {
    warnings.push(UNUSED_PASSPHRASE);
  }
  forgetPassphrase(keys);
  warnings.push(...access.warnings);
  if (overlay !== undefined && access.isEncrypted && isStored(asked)) warnings.push(PLAIN);
  overlay?.publish?.();
  return { access, keys, decoding, request, warnings };
}

/** What is to be written to instead of the image, if that shall stay as it is. */
function overlayFor(
  { overlay }: ImageRequest,
  base: Base,
  options: TemporaryOptions,
): Overlay | undefined {
  if (overlay === undefined) return undefined;
  if ("path" in overlay) return lastingOverlay(overlay.path, base);
  return temporaryOverlay(overlay, options);
}

/** Whether what is written may be on a disk when the device has gone. */
function isStored({ overlay = {} }: ImageRequest): boolean {
  return "path" in overlay || overlay.folder !== undefined;
}

/** Why an image can only be read, if so. */
function obstacleToWriting(
  driver: FormatDriver,
  { snapshot, noBacking, force }: ImageRequest,
  file: ImageFile,
): string | undefined {
  const { name, writable } = driver;
  if (!writable) return `the ${name} driver only reads`;
  if (snapshot !== undefined) return "a snapshot does not change";
  if (noBacking) return "a disk is not written to without its backing file";
  if (force && name !== RAW.name) return "what is damaged is not written to";
  const obstacle = lookWith({ driver, file }, () => driver.obstacleToWriting?.(file));
  return obstacle && `${obstacle} are not written to`;
}
