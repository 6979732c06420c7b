/**
 * Disks compressed with zstd(1).
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { ZSTD } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC, PZSTD_MAGIC } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/zstd/driver");

/** The ZSTD driver. */
export const zstd: FormatDriver = {
  ...ZSTD,
  magics: [MAGIC, PZSTD_MAGIC].map((bytes) => ({ offset: 0, bytes, isShared: true })),
  open: (file, options) => code().open(file, options),
  info: (file, memory) => code().info(file, memory),
};
