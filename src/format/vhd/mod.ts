/**
 * VHD: images of Virtual PC, Hyper-V and Azure, which qemu calls vpc: fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { VHD } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { COOKIE, FOOTER_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/vhd/driver");

/** The VHD driver. A fixed image has a mark at its end only. */
export const vhd: FormatDriver = {
  ...VHD,
  magics: [{ offset: 0, bytes: COOKIE }, { offset: -FOOTER_BYTES, bytes: COOKIE }],
  extensions: ["vhd", "avhd"],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
  check: (file, options) => code().check(file, options),
};
