/**
 * Disks compressed with xz(1).
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { XZ } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/xz/driver");

/** The XZ driver. */
export const xz: FormatDriver = {
  ...XZ,
  magics: [{ offset: 0, bytes: MAGIC, isShared: true }],
  open: (file, options) => code().open(file, options),
  info: (file, memory) => code().info(file, memory),
};
