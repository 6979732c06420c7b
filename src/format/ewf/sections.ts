/**
 * The sections of one segment.
 *
 * @module
 */
import { adler32 } from "../../codec/zlib.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { EWF } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../sys/memory.ts";
import { damaged } from "./errors.ts";
import { FILE_HEADER, MAGIC, MAGIC_2, SECTION } from "./layout.ts";

/** A section. */
export interface Section {
  readonly type: string;
  readonly hostOffset: number;
  /** Where its data begin, and how many there are. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

/** What a segment ends with. */
const ENDS: readonly string[] = ["next", "done"];
/** There are some for every 16,375 chunks: more belong to disks of terabytes in one file. */
const MAX_SECTIONS = 65536;

/**
 * The number that a segment has.
 *
 * @throws {ImageFormatError} if it is none
 * @throws {UnsupportedFeatureError} if it is one of version 2
 */
export function segmentNumber(file: ImageFile): number {
  const { view } = readBytes(file, 0, FILE_HEADER.sizeBytes);
  const { magic, segment } = FILE_HEADER.read(view, 0);
  if (isSame(magic, MAGIC_2)) throw new UnsupportedFeatureError(EWF.name, file.path, "version 2");
  if (!isSame(magic, MAGIC)) throw damaged(file, "this is no segment of an EWF image");
  return segment;
}

/**
 * The sections of a segment, in their order; the last one is "next" or "done".
 *
 * @throws {ImageFormatError} if one of them cannot be true
 */
export function* sectionsOf(file: ImageFile): Generator<Section> {
  let hostOffset = FILE_HEADER.sizeBytes;
  for (let count = 0; count < MAX_SECTIONS; count++) {
    if (hostOffset + SECTION.sizeBytes > file.sizeBytes) {
      throw damaged(file, "the segment is not whole: a section is missing", hostOffset);
    }
    const { bytes, view } = readBytes(file, hostOffset, SECTION.sizeBytes);
    const { type: name, next, checksum } = SECTION.read(view, 0);
    if (adler32(bytes.subarray(0, SECTION.offsets.checksum)) !== checksum) {
      throw damaged(file, "the checksum of a section is wrong", hostOffset);
    }
    const type = textOf(name);
    const dataOffset = hostOffset + SECTION.sizeBytes;
    const isLast = ENDS.includes(type);
    const end = isLast ? dataOffset : Number(next);
    if (end < dataOffset || end > file.sizeBytes) {
      throw damaged(file, "the segment is not whole: a section leads out of it", hostOffset);
    }
    yield { type, hostOffset, dataOffset, dataBytes: end - dataOffset };
    if (isLast) return;
    hostOffset = end;
  }
  throw damaged(file, "there are too many sections");
}

/** Bytes of a segment; throws as {@link ImageFile.read}. */
export function readBytes(file: ImageFile, hostOffset: number, lengthBytes: number): IoBuffer {
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
