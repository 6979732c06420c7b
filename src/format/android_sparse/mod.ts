/**
 * ANDROID-SPARSE: the images that Android's fastboot writes to flash memory. They are only read.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { ANDROID_SPARSE } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/android_sparse/driver");

/** The ANDROID-SPARSE driver. */
export const androidSparse: FormatDriver = {
  ...ANDROID_SPARSE,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
  contentSteps: (file, related) => code().contentSteps(file, related),
};
