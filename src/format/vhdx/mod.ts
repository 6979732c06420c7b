/**
 * VHDX: images of Hyper-V, fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { VHDX } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { describeVhdx } from "./info.ts";
import { MARK } from "./layout.ts";
import { openVhdx } from "./open.ts";

/** The VHDX driver. */
export const vhdx: FormatDriver = {
  ...VHDX,
  magics: [{ offset: 0, bytes: MARK }],
  extensions: ["vhdx", "avhdx"],
  open: (file: ImageFile, options: OpenOptions): Image => openVhdx(file, options),
  info: describeVhdx,
};
