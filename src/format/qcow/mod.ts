/**
 * QCOW: qemu's copy-on-write images of version 2 and 3, known as qcow2. Those of version 1 are another
 * format, which is found under this name, too.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { QCOW } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { qcow1 } from "../qcow1/mod.ts";
import { checkQcow } from "./check/check.ts";
import { describe } from "./info.ts";
import { MAGIC_BYTES } from "./layout.ts";
import { openQcow } from "./open.ts";
import { changeSnapshots } from "./snapshots/change.ts";

/** The QCOW driver. */
export const qcow: FormatDriver = {
  ...QCOW,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  otherVersions: [qcow1],
  open: (file: ImageFile, options: OpenOptions): Image => openQcow(file, options),
  info: describe,
  check: checkQcow,
  changeSnapshots,
};
