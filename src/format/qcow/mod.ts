/**
 * QCOW: qemu's copy-on-write images of version 2 and 3, known as qcow2.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { QCOW } from "../../image/formats.ts";
import type { ImageFile } from "../../image/image_file.ts";
import { QcowImage } from "./image.ts";
import { describe } from "./info.ts";
import { MAGIC_BYTES } from "./layout.ts";

/** The QCOW driver. */
export const qcow: FormatDriver = {
  ...QCOW,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  snapshots: true,
  open: (file: ImageFile, options: OpenOptions): Image => new QcowImage(file, options),
  info: describe,
};
