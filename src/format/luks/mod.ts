/**
 * LUKS: an encrypted volume of version 1 in a file or on a device, as cryptsetup and qemu make it.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { LUKS } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/luks/driver");

/**
 * The LUKS driver. It has no magic, so that it is only taken where it is asked for: a disk that holds
 * an encrypted volume is an ordinary raw disk, and attached as one its guest unlocks it.
 */
export const luks: FormatDriver = {
  ...LUKS,
  magics: [],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
