/**
 * Disks compressed with zstd(1).
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { ZSTD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { openSpooled } from "../kit/spool/open_spooled.ts";
import { findFrames } from "./frames.ts";
import { MAGIC, PZSTD_MAGIC } from "./layout.ts";

export const zstd: FormatDriver = {
  ...ZSTD,
  magics: [{ offset: 0, bytes: MAGIC }, { offset: 0, bytes: PZSTD_MAGIC }],
  open: (file, options) => {
    const sizeBytes = diskSize(file);
    return openSpooled(file, { kind: "zstd", format: ZSTD.name, sizeBytes }, options);
  },
  info: (file) => ({ format: "zstd", sizeBytes: diskSize(file) }),
};

/** What all frames have together; undefined if one of them does not say, or there are too many to ask. */
function diskSize(file: ImageFile): number | undefined {
  let sizeBytes = 0;
  for (const { contentBytes } of findFrames(file) ?? [{ contentBytes: undefined }]) {
    if (contentBytes === undefined) return undefined;
    sizeBytes += contentBytes;
  }
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}
