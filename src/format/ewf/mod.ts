/**
 * Expert Witness images (E01), by EnCase, FTK Imager and libewf.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { EWF } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC, MAGIC_2 } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/ewf/driver");

/** The EWF driver. */
export const ewf: FormatDriver = {
  ...EWF,
  magics: [{ offset: 0, bytes: MAGIC }, { offset: 0, bytes: MAGIC_2 }],
  hasPieces: true,
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
  contentSteps: (file, related) => code().contentSteps(file, related),
};
