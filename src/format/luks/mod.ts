/**
 * LUKS: an encrypted volume of version 1 in a file or on a device, as cryptsetup and qemu make it.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { LUKS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { LuksImage } from "./image.ts";
import { describe } from "./info.ts";

/**
 * The LUKS driver. It has no magic, so that it is only taken where it is asked for: a disk that holds
 * an encrypted volume is an ordinary raw disk, and attached as one its guest unlocks it.
 */
export const luks: FormatDriver = {
  ...LUKS,
  magics: [],
  open: (file: ImageFile, options: OpenOptions): Image => new LuksImage(file, options),
  info: describe,
};
