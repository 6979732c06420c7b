/**
 * Opening compressed files of blocks, each of which can be decompressed by itself.
 *
 * @module
 */
import type { StreamKind } from "../../image/arriving.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type PackedBlocks, PackedImage } from "./packed_blocks.ts";
import { openSpooled } from "./spool/open_spooled.ts";

/** Longer blocks take seconds to decompress, and are not kept in memory. */
const MAX_BLOCK_BYTES = 32 * 1024 * 1024;

/** How a file is opened. */
interface Way {
  readonly kind: StreamKind;
  /** Name of the driver. */
  readonly format: string;
  readonly options: OpenOptions;
}

/**
 * A disk, read block by block, or where those are too long, as a whole.
 *
 * @throws as {@link openSpooled}
 */
export function openBlocks(
  file: ImageFile,
  blocks: PackedBlocks,
  { kind, format, options }: Way,
): Image {
  if (blocks.maxBytes <= MAX_BLOCK_BYTES && !blocks.areLong) return new PackedImage(file, blocks);
  return openSpooled(file, { kind, format, sizeBytes: blocks.sizeBytes }, options);
}
