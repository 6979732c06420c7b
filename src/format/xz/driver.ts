/**
 * What is loaded of the XZ driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, MemoryLimit, OpenOptions } from "../../image/driver.ts";
import { XZ } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { openBlocks } from "../kit/open_blocks.ts";
import { findBlocks } from "./blocks.ts";

/** @throws as {@link findBlocks} */
export function open(file: ImageFile, options: OpenOptions): Image {
  const blocks = findBlocks(file, options.related);
  return openBlocks(file, blocks, { kind: "xz", format: XZ.name, options });
}

/** @throws as {@link findBlocks} */
export function info(file: ImageFile, memory?: MemoryLimit): ImageInfo {
  const { sizeBytes, count, maxBytes } = findBlocks(file, memory);
  const data = { "blocks": count, "largest-block": maxBytes };
  return { format: "xz", sizeBytes, specific: { type: "xz", data } };
}
