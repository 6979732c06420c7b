/**
 * BOCHS: images of the emulator Bochs that grow as they are written to. They are only read.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { BOCHS } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/bochs/driver");

/** The BOCHS driver. */
export const bochs: FormatDriver = {
  ...BOCHS,
  magics: [{ offset: 0, bytes: new TextEncoder().encode(MAGIC) }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
