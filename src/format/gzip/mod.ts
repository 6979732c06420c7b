/**
 * Disks compressed with gzip(1).
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { GZIP } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { openSpooled } from "../kit/spool/open_spooled.ts";
import { MAGIC } from "./layout.ts";

export const gzip: FormatDriver = {
  ...GZIP,
  magics: [{ offset: 0, bytes: MAGIC, isShared: true }],
  open: (file, options) => {
    requireMagic(file);
    return openSpooled(file, { kind: "gzip", format: GZIP.name, sizeBytes: undefined }, options);
  },
  info: (file) => {
    requireMagic(file);
    return { format: "gzip", sizeBytes: undefined };
  },
};

/** @throws {ImageFormatError} if it does not begin as such files do */
function requireMagic(file: ImageFile): void {
  const head = new IoBuffer(MAGIC.length);
  file.read(head, 0, 0, head.size);
  if (MAGIC.every((byte, at) => head.bytes[at] === byte)) return;
  throw new ImageFormatError(GZIP.name, file.path, "this is no file of gzip's");
}
