/**
 * QED: qemu's enhanced disk images.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { QED } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { checkQed } from "./check/check.ts";
import { readHeader } from "./header.ts";
import { describeQed } from "./info.ts";
import { MAGIC_BYTES } from "./layout.ts";
import { openQed } from "./open.ts";
import { obstacleIn } from "./writing.ts";

/** The QED driver. */
export const qed: FormatDriver = {
  ...QED,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file: ImageFile, options: OpenOptions): Image => openQed(file, options),
  obstacleToWriting: (file: ImageFile) => obstacleIn(readHeader(file)),
  info: describeQed,
  check: checkQed,
};
