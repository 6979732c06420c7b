/**
 * What is loaded of the ZSTD driver once there is a file to be opened or described.
 *
 * @module
 */
import { CompressionMethod } from "../../image/decoding.ts";
import type { Image, MemoryLimit, OpenOptions } from "../../image/driver.ts";
import { ZSTD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { ImageInfo } from "../../image/info.ts";
import { openBlocks } from "../kit/open_blocks.ts";
import { BYTES_OF_BLOCK, PackedBlocks } from "../kit/packed_blocks.ts";
import { openSpooled } from "../kit/spool/open_spooled.ts";
import { findFrames, type ZstdFrame } from "./frames.ts";
import { readSeekTable } from "./seek_table.ts";

/** @throws as {@link findFrames} */
export function info(file: ImageFile, memory?: MemoryLimit): ImageInfo {
  const blocks = findBlocks(file, memory);
  if (blocks === undefined) return { format: "zstd", sizeBytes: undefined };
  const data = { "frames": blocks.count, "largest-frame": blocks.maxBytes };
  return { format: "zstd", sizeBytes: blocks.sizeBytes, specific: { type: "zstd", data } };
}

/** @throws as {@link findFrames} and {@link openSpooled} */
export function open(file: ImageFile, options: OpenOptions): Image {
  const way = { kind: "zstd", format: ZSTD.name } as const;
  const blocks = findBlocks(file, options.related);
  return blocks === undefined
    ? openSpooled(file, { ...way, sizeBytes: undefined }, options)
    : openBlocks(file, blocks, { ...way, options });
}

/** All frames that have some of the disk; undefined if one does not say how much, or they are too many. */
function findBlocks(file: ImageFile, memory: MemoryLimit | undefined): PackedBlocks | undefined {
  const frames = readSeekTable(file) ?? findFrames(file);
  if (frames === undefined || frames.some((frame) => !tellsSize(frame))) return undefined;
  memory?.reserveMemory(frames.length * BYTES_OF_BLOCK);
  const blocks = new PackedBlocks(frames.length);
  for (const { hostOffset, hostBytes, contentBytes = 0 } of frames) {
    blocks.add({ hostOffset, hostBytes, contentBytes, method: CompressionMethod.Zstd });
  }
  return Number.isSafeInteger(blocks.sizeBytes) ? blocks : undefined;
}

function tellsSize({ contentBytes }: ZstdFrame): boolean {
  return contentBytes !== undefined;
}
