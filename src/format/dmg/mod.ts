/**
 * DMG: Apple's disk images, as far as they have chunks of their own; read only.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { DMG } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { ENCRYPTED_MAGIC, OLD_ENCRYPTED_MAGIC, TRAILER, TRAILER_MAGIC } from "./layout.ts";
import { describeDmg, openDmg } from "./open.ts";

/** The DMG driver. Encrypted images are found, too, to be refused by name. */
export const dmg: FormatDriver = {
  ...DMG,
  magics: [
    { offset: -TRAILER.sizeBytes, bytes: TRAILER_MAGIC },
    { offset: 0, bytes: TRAILER_MAGIC },
    { offset: 0, bytes: ENCRYPTED_MAGIC },
    { offset: -OLD_ENCRYPTED_MAGIC.length, bytes: OLD_ENCRYPTED_MAGIC },
  ],
  open: (file: ImageFile, { related }: OpenOptions): Image => openDmg(file, related),
  info: describeDmg,
};
