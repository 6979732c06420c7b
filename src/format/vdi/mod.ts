/**
 * VDI: VirtualBox's images, fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { VDI } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC_BYTES, MAGIC_OFFSET } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/vdi/driver");

/** The VDI driver. */
export const vdi: FormatDriver = {
  ...VDI,
  magics: [{ offset: MAGIC_OFFSET, bytes: MAGIC_BYTES }],
  extensions: ["vdi"],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
  check: (file, options) => code().check(file, options),
};
