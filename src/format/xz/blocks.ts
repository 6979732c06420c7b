/**
 * The blocks of all streams, as the indexes say where they are.
 *
 * @module
 */
import type { MemoryLimit } from "../../image/driver.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { XZ } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { BYTES_OF_BLOCK, PackedBlocks } from "../kit/packed_blocks.ts";
import { METHODS } from "./layout.ts";
import { paddedBytes, StreamReader } from "./streams.ts";

/**
 * All of them.
 *
 * @throws {ImageFormatError} if an index is damaged, or the disk would be too large
 * @throws {UnsupportedFeatureError} if there are too many streams, or blocks have a check that nobody knows
 * @throws {RangeError} if they would take too much memory
 */
export function findBlocks(file: ImageFile, memory: MemoryLimit | undefined): PackedBlocks {
  const reader = new StreamReader(file);
  const streams = reader.find();
  const count = streams.reduce((sum, stream) => sum + stream.count, 0);
  memory?.reserveMemory(count * BYTES_OF_BLOCK);
  const blocks = new PackedBlocks(count);
  for (const stream of streams) {
    const method = METHODS.get(stream.check);
    if (method === undefined) {
      throw new UnsupportedFeatureError(XZ.name, file.path, `checks of type ${stream.check}`);
    }
    let hostOffset = stream.blocksOffset;
    for (const record of reader.records(stream)) {
      const hostBytes = paddedBytes(record);
      const { contentBytes } = record;
      blocks.add({ hostOffset, hostBytes, contentBytes, method });
      hostOffset += hostBytes;
    }
  }
  if (Number.isSafeInteger(blocks.sizeBytes)) return blocks;
  throw new ImageFormatError(XZ.name, file.path, "its disk would have 8 PiB or more");
}
