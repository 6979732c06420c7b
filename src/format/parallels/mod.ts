/**
 * PARALLELS: the expanding images of Parallels Desktop, as qemu and VirtualBox make them as well.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { describeParallels } from "./info.ts";
import { MAGICS } from "./layout.ts";
import { openParallels } from "./open.ts";

/** The PARALLELS driver. */
export const parallels: FormatDriver = {
  ...PARALLELS,
  magics: Object.values(MAGICS).map((bytes) => ({ offset: 0, bytes })),
  extensions: ["hds", "hdd"],
  open: (file: ImageFile, options: OpenOptions): Image => openParallels(file, options),
  info: describeParallels,
};
