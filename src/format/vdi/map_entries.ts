/**
 * The whole map, read once from its start to its end.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { Header } from "./header.ts";
import { ENTRY_BYTES } from "./layout.ts";

/** So much of the map is read at once. */
const CHUNK_BYTES = 64 * 1024;

/** The entries of all blocks of the disk; throws {@link SystemError} if they cannot be read. */
export function* mapEntries(
  file: ImageFile,
  { mapOffset, blocks }: Pick<Header, "mapOffset" | "blocks">,
): Generator<number> {
  const chunk = new IoBuffer(CHUNK_BYTES);
  const mapBytes = blocks * ENTRY_BYTES;
  for (let start = 0; start < mapBytes; start += CHUNK_BYTES) {
    const lengthBytes = Math.min(CHUNK_BYTES, mapBytes - start);
    file.read(chunk, 0, mapOffset + start, lengthBytes);
    for (let at = 0; at < lengthBytes; at += ENTRY_BYTES) yield chunk.view.getUint32(at, true);
  }
}

/** Whether a stored block with that number begins in the file, and there can be so many. */
export function canBeStored(entry: number, file: ImageFile, header: Header): boolean {
  const { blocks, dataOffset, extraBytes, blockBytes } = header;
  return entry < blocks && dataOffset + entry * (extraBytes + blockBytes) < file.sizeBytes;
}
