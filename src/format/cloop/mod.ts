/**
 * CLOOP: compressed loop images of live systems, version 2. They are only read.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { CLOOP } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/cloop/driver");

/** The CLOOP driver. */
export const cloop: FormatDriver = {
  ...CLOOP,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
