/**
 * The footer of a stream, which is written when all of it is known: its last three sectors but one.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged } from "../errors.ts";
import { MARKER, MarkerType, SECTOR_BYTES } from "../layout.ts";

/** From the end of the file on: the footer's marker, the footer, the marker of the end. */
const MARKER_FROM_END: number = 3 * SECTOR_BYTES;
const FOOTER_FROM_END: number = 2 * SECTOR_BYTES;
const END_FROM_END: number = SECTOR_BYTES;

/**
 * Where the footer is in a stream.
 *
 * @throws {ImageFormatError} if it has none: the stream is not complete, or something follows it
 * @throws {SystemError} if the file cannot be read
 */
export function footerOf(file: ImageFile): number {
  const end = file.sizeBytes;
  if (end >= MARKER_FROM_END && end % SECTOR_BYTES === 0) {
    const footer = markerAt(file, end - MARKER_FROM_END);
    const last = markerAt(file, end - END_FROM_END);
    const isFooter = footer.value === 1n && footer.size === 0 && footer.type === MarkerType.footer;
    const isEnd = last.value === 0n && last.size === 0 && last.type === MarkerType.endOfStream;
    if (isFooter && isEnd) return end - FOOTER_FROM_END;
  }
  throw damaged(file.path, "the file is incomplete: it does not end with the footer of a stream");
}

function markerAt(file: ImageFile, hostOffset: number): ReturnType<typeof MARKER.read> {
  const buffer = new IoBuffer(MARKER.sizeBytes);
  file.read(buffer, 0, hostOffset, buffer.size);
  return MARKER.read(buffer.view, 0);
}
