/**
 * Disks compressed with xz(1).
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { XZ } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { openBlocks } from "../kit/open_blocks.ts";
import { findBlocks } from "./blocks.ts";
import { MAGIC } from "./layout.ts";

export const xz: FormatDriver = {
  ...XZ,
  magics: [{ offset: 0, bytes: MAGIC, isShared: true }],
  open: (file: ImageFile, options: OpenOptions): Image =>
    openBlocks(file, findBlocks(file, options.related), { kind: "xz", format: XZ.name, options }),
  info: (file, memory) => {
    const blocks = findBlocks(file, memory);
    return {
      format: "xz",
      sizeBytes: blocks.sizeBytes,
      specific: {
        type: "xz",
        data: { "blocks": blocks.count, "largest-block": blocks.maxBytes },
      },
    };
  },
};
