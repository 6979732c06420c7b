/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { SPARSEIMAGE } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { HEADER, MAGIC, MAX_BAND_SECTORS, NODE_BYTES, SECTOR_BYTES, VERSION } from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly sizeBytes: bigint;
  readonly bandBytes: number;
}

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const { magic, version, bandSectors, sectors } = readFields(file);
  if (magic !== MAGIC) throw damaged(file, "this is no sparse image of Apple's");
  if (version !== VERSION) {
    throw new UnsupportedFeatureError(SPARSEIMAGE.name, file.path, `version ${version}`);
  }
  if (bandSectors === 0 || bandSectors > MAX_BAND_SECTORS) {
    throw damaged(file, `bands of ${bandSectors} sectors are not possible`);
  }
  return { sizeBytes: sectors * BigInt(SECTOR_BYTES), bandBytes: bandSectors * SECTOR_BYTES };
}

function readFields(file: ImageFile): ReturnType<typeof HEADER.read> {
  if (file.sizeBytes < NODE_BYTES) throw damaged(file, "the file is too short for a header");
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  return HEADER.read(head.view, 0);
}

export function damaged({ path }: ImageFile, message: string, offset = 0): ImageFormatError {
  return new ImageFormatError(SPARSEIMAGE.name, path, message, offset);
}
