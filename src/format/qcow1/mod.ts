/**
 * QCOW1: qemu's copy-on-write images of version 1, which qemu calls qcow.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { QCOW1 } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { describeQcow1 } from "./info.ts";
import { MAGIC_BYTES } from "./layout.ts";
import { openQcow1 } from "./open.ts";

/** The QCOW1 driver. */
export const qcow1: FormatDriver = {
  ...QCOW1,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file: ImageFile, options: OpenOptions): Image => openQcow1(file, options),
  info: describeQcow1,
};
