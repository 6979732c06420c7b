/**
 * Making the disk of an image larger that is not attached.
 *
 * @module
 */
import { type NewSize, wantedBytes } from "../disk/new_size.ts";
import { doubtAbout, rawHint } from "../disk/format_hints.ts";
import { lockImage } from "../disk/lock.ts";
import { openImage } from "../disk/open.ts";
import { openToWrite } from "../disk/open_file.ts";
import { driverFor } from "../disk/probe.ts";
import type { ImageRequest } from "../disk/request.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import { type KeyRing, UNUSED_PASSPHRASE } from "../image/key_ring.ts";
import { concludeAfterFailure, concludeImage } from "../loop/conclude.ts";
import { flushAtEnd } from "../loop/flush_at_end.ts";
import { SharedState } from "../loop/shared_state.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { EIO, SystemError } from "../sys/errno.ts";

export interface ImageGrowth {
  readonly request: ImageRequest;
  readonly keys: KeyRing;
  readonly size: NewSize;
}

/**
 * Makes the disk of the image at `path` larger.
 *
 * @returns what the user had better know
 * @throws {Error} if that cannot be done; it has its old size then
 */
export function growImage(path: string, growth: ImageGrowth): string[] {
  return growOpenImage(openToChange(path), growth);
}

/** As {@link growImage}, of one that is open, which is closed; whoever else has it open is no matter. */
export function growOpenImage(file: ImageFile, { request, keys, size }: ImageGrowth): string[] {
  const { path } = file;
  const { name: format, writable } = driverFor(request.format, file);
  if (!writable) throw new RangeError(`the ${format} driver only reads`);
  if (format === RAW.name && request.format === AUTO_FORMAT) refuseDoubtful(file);
  const hint = format === RAW.name ? rawHint(file, "made larger") : undefined;
  const hasPassphrase = keys.passphrase !== undefined;
  using access = openImage(file, { ...request, format }, { keys });
  const { round } = access;
  if (round === undefined) throw new RangeError("it is only read");
  const shared = new SharedState();
  try {
    access.grow(wantedBytes(size, access.sizeBytes), () => flushAtEnd(round, shared));
  } catch (error) {
    concludeAfterFailure(access, shared);
    throw error;
  }
  if (!concludeImage(access, shared)) throw new SystemError("fdatasync", EIO, path);
  const isUnused = hasPassphrase && keys.volumeKeys.size === 0;
  return [hint, isUnused ? UNUSED_PASSPHRASE : undefined].filter((text) => text !== undefined);
}

/** What is not known to be a disk may be of no more use when it is longer. */
function refuseDoubtful(file: ImageFile): void {
  const doubt = doubtAbout(file);
  if (doubt !== undefined) throw new RangeError(doubt);
}

function openToChange(path: string): ImageFile {
  const file = openToWrite(path);
  try {
    lockImage(file, "write");
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
