/**
 * Disks compressed with gzip(1).
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { GZIP } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/gzip/driver");

/** The GZIP driver. */
export const gzip: FormatDriver = {
  ...GZIP,
  magics: [{ offset: 0, bytes: MAGIC, isShared: true }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
