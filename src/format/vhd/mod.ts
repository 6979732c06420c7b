/**
 * VHD: images of Virtual PC, Hyper-V and Azure, which qemu calls vpc: fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { VHD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { checkVhd } from "./check.ts";
import { describeVhd } from "./info.ts";
import { COOKIE, FOOTER_BYTES } from "./layout.ts";
import { openVhd } from "./open.ts";

/** The VHD driver. A fixed image has a mark at its end only. */
export const vhd: FormatDriver = {
  ...VHD,
  magics: [{ offset: 0, bytes: COOKIE }, { offset: -FOOTER_BYTES, bytes: COOKIE }],
  extensions: ["vhd", "avhd"],
  open: (file: ImageFile, options: OpenOptions): Image => openVhd(file, options),
  info: describeVhd,
  check: checkVhd,
};
