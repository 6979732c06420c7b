/**
 * What is loaded of the GZIP driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { GZIP } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { openSpooled } from "../kit/spool/open_spooled.ts";
import { MAGIC } from "./layout.ts";

/** @throws {ImageFormatError} if it does not begin as such files do */
export function open(file: ImageFile, options: OpenOptions): Image {
  requireMagic(file);
  return openSpooled(file, { kind: "gzip", format: GZIP.name, sizeBytes: undefined }, options);
}

/** @throws as {@link open} */
export function info(file: ImageFile): ImageInfo {
  requireMagic(file);
  return { format: "gzip", sizeBytes: undefined };
}

/** @throws {ImageFormatError} if it does not begin as such files do */
function requireMagic(file: ImageFile): void {
  const head = new IoBuffer(MAGIC.length);
  file.read(head, 0, 0, head.size);
  if (MAGIC.every((byte, at) => head.bytes[at] === byte)) return;
  throw new ImageFormatError(GZIP.name, file.path, "this is no file of gzip's");
}
