/**
 * QCOW: qemu's copy-on-write images of version 2 and 3, known as qcow2. Those of version 1 are another
 * format, which is found under this name, too.
 *
 * @module
 */
import type { FormatDriver, Image, MemoryLimit, OpenOptions } from "../../image/driver.ts";
import { QCOW } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { ImageInfo } from "../../image/info.ts";
import { describeQcow1 } from "../qcow1/info.ts";
import { isVersion1, openQcow1 } from "../qcow1/open.ts";
import { describe } from "./info.ts";
import { MAGIC_BYTES } from "./layout.ts";
import { openQcow } from "./open.ts";

/** The QCOW driver. */
export const qcow: FormatDriver = {
  ...QCOW,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  snapshots: true,
  open: (file: ImageFile, options: OpenOptions): Image =>
    isVersion1(file) ? openQcow1(file, options) : openQcow(file, options),
  info: (file: ImageFile, memory?: MemoryLimit): ImageInfo =>
    isVersion1(file) ? describeQcow1(file) : describe(file, memory),
};
