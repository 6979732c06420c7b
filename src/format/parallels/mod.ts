/**
 * PARALLELS: the disks of Parallels Desktop: folders with a descriptor, and the expanding images in them, as
 * qemu and VirtualBox make them as well.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { isDescriptor } from "./bundle/descriptor.ts";
import { MAGICS } from "./layout.ts";
import { describeParallels, obstacleIn, openParallels } from "./open.ts";

/** The PARALLELS driver. */
export const parallels: FormatDriver = {
  ...PARALLELS,
  magics: Object.values(MAGICS).map((bytes) => ({ offset: 0, bytes })),
  isTextOf: isDescriptor,
  extensions: ["hds", "hdd"],
  open: (file: ImageFile, options: OpenOptions): Image => openParallels(file, options),
  obstacleToWriting: obstacleIn,
  info: describeParallels,
};
