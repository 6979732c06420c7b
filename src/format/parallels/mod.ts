/**
 * PARALLELS: the disks of Parallels Desktop: folders with a descriptor, and the expanding images in them, as
 * qemu and VirtualBox make them as well.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { PARALLELS } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { isDescriptor } from "./bundle/mark.ts";
import { MAGICS } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/parallels/driver");

/** The PARALLELS driver. */
export const parallels: FormatDriver = {
  ...PARALLELS,
  magics: Object.values(MAGICS).map((bytes) => ({ offset: 0, bytes })),
  isTextOf: isDescriptor,
  extensions: ["hds", "hdd"],
  hasPieces: true,
  open: (file, options) => code().open(file, options),
  obstacleToWriting: (file) => code().obstacleToWriting(file),
  info: (file) => code().info(file),
  check: (file, options) => code().check(file, options),
};
