/**
 * Writing to a file that has nothing yet: zeros become holes.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { libc } from "../../../sys/libc.ts";
import type { IoBuffer } from "../../../sys/memory.ts";

/** What is looked at as one: a multiple of every file system's blocks. */
const GRAIN_BYTES = 64 * 1024;

/**
 * Writes the first `lengthBytes` of `source` to `file` at `hostOffset`; throws as {@link ImageFile.write}.
 */
export function writeWithoutZeros(
  file: ImageFile,
  source: IoBuffer,
  hostOffset: number,
  lengthBytes: number,
): void {
  let start = 0;
  for (let at = 0; at < lengthBytes; at += GRAIN_BYTES) {
    const grainBytes = Math.min(GRAIN_BYTES, lengthBytes - at);
    if (!isZero(source, at, grainBytes)) continue;
    if (start < at) file.write(source, start, hostOffset + start, at - start);
    start = at + grainBytes;
  }
  if (start < lengthBytes) file.write(source, start, hostOffset + start, lengthBytes - start);
}

/** Each byte is as the one before it, and the first one is zero. */
function isZero({ bytes, address }: IoBuffer, position: number, lengthBytes: number): boolean {
  if (bytes[position] !== 0 || bytes[position + lengthBytes - 1] !== 0) return false;
  return libc().memcmp(address + position, address + position + 1, lengthBytes - 1) === 0;
}
