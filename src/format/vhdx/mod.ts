/**
 * VHDX: images of Hyper-V, fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { VHDX } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MARK } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/vhdx/driver");

/** The VHDX driver. */
export const vhdx: FormatDriver = {
  ...VHDX,
  magics: [{ offset: 0, bytes: MARK }],
  extensions: ["vhdx", "avhdx"],
  open: (file, options) => code().open(file, options),
  info: (file, memory) => code().info(file, memory),
};
