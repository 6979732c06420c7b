/**
 * VDI: VirtualBox's images, fixed, dynamic and differencing.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { VDI } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { checkVdi } from "./check.ts";
import { describeVdi } from "./info.ts";
import { MAGIC_BYTES, MAGIC_OFFSET } from "./layout.ts";
import { openVdi } from "./open.ts";

/** The VDI driver. */
export const vdi: FormatDriver = {
  ...VDI,
  magics: [{ offset: MAGIC_OFFSET, bytes: MAGIC_BYTES }],
  extensions: ["vdi"],
  open: (file: ImageFile, options: OpenOptions): Image => openVdi(file, options),
  info: describeVdi,
  check: checkVdi,
};
