/**
 * SPARSEBUNDLE: disk images of macOS that are a folder, as Time Machine makes them. They are only read.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { SPARSEBUNDLE } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { isPropertyList } from "./mark.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/sparsebundle/driver");

/** The SPARSEBUNDLE driver: its files are property lists. */
export const sparsebundle: FormatDriver = {
  ...SPARSEBUNDLE,
  magics: [],
  isTextOf: isPropertyList,
  hasPieces: true,
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
