/**
 * Making the disk of an image larger that is not attached.
 *
 * @module
 */
import { lockImage } from "../disk/lock.ts";
import { openImage } from "../disk/open.ts";
import { openImageFile } from "../disk/open_file.ts";
import { driverFor } from "../disk/probe.ts";
import type { ImageRequest } from "../disk/request.ts";
import type { KeyRing } from "../image/key_ring.ts";
import { concludeImage } from "../loop/conclude.ts";
import { flushAtEnd } from "../loop/flush_at_end.ts";
import { SharedState } from "../loop/shared_state.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { EIO, EROFS, SystemError } from "../sys/errno.ts";

/** How large a disk is to become. */
export interface SizeWanted {
  readonly bytes: number;
  /** Whether that is how much comes to what it has. */
  readonly isMore: boolean;
}

export interface ImageGrowth {
  readonly request: ImageRequest;
  readonly keys: KeyRing;
  readonly size: SizeWanted;
}

/**
 * Makes the disk of the image at `path` larger.
 *
 * @throws {Error} if that cannot be done; it has its old size then
 */
export function growImage(path: string, { request, keys, size }: ImageGrowth): void {
  const file = openToChange(path);
  const format = driverFor(request.format, file).name;
  using access = openImage(file, { ...request, format }, { keys });
  const { round } = access;
  if (round === undefined) throw new RangeError(`the ${format} driver only reads`);
  const shared = new SharedState();
  access.grow(wantedBytes(size, access.sizeBytes), () => flushAtEnd(round, shared));
  if (!concludeImage(access, shared)) throw new SystemError("fdatasync", EIO, path);
}

function openToChange(path: string): ImageFile {
  const { file, readOnly } = openImageFile(path, { readOnly: false });
  try {
    if (readOnly) throw new SystemError("open", EROFS, path);
    lockImage(file, "write");
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** @throws {RangeError} if no number can say exactly how many */
export function wantedBytes({ bytes, isMore }: SizeWanted, hasBytes: number): number {
  const wanted = isMore ? hasBytes + bytes : bytes;
  if (Number.isSafeInteger(wanted)) return wanted;
  throw new RangeError("that is larger than any disk");
}
