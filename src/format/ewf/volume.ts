/**
 * What an image says of its disk.
 *
 * @module
 */
import { adler32 } from "../../codec/zlib.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { EWF } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { guidText } from "../kit/guid.ts";
import { damaged } from "./errors.ts";
import { MAX_CHUNK_BYTES, MAX_SECTOR_BYTES, MIN_SECTOR_BYTES, VOLUME } from "./layout.ts";
import { readBytes, type Section, sectionsOf } from "./sections.ts";

/** The disk, and what its chunks are. */
export interface Volume {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly chunkBytes: number;
  readonly chunks: number;
  /** What all segments have in common; undefined if it is not used. */
  readonly setId: string | undefined;
}

const NAMES: readonly string[] = ["volume", "disk", "data"];

/** Whether a section tells of the disk. */
export function isVolume({ type }: Section): boolean {
  return NAMES.includes(type);
}

/**
 * What the first segment says of the disk.
 *
 * @throws {ImageFormatError} if it says nothing, or what cannot be true
 * @throws {UnsupportedFeatureError} if it is of a version that does so otherwise
 */
export function findVolume(file: ImageFile): Volume {
  for (const section of sectionsOf(file)) {
    if (isVolume(section)) return readVolume(file, section);
  }
  throw damaged(file, "the image does not say how large its disk is");
}

/** As {@link findVolume}, from one section. */
export function readVolume(file: ImageFile, { dataOffset, dataBytes }: Section): Volume {
  if (dataBytes < VOLUME.sizeBytes) {
    throw new UnsupportedFeatureError(EWF.name, file.path, "a volume section of SMART's kind");
  }
  const { bytes, view } = readBytes(file, dataOffset, VOLUME.sizeBytes);
  const fields = VOLUME.read(view, 0);
  if (adler32(bytes.subarray(0, VOLUME.offsets.checksum)) !== fields.checksum) {
    throw damaged(file, "the checksum of the volume section is wrong", dataOffset);
  }
  const { bytes_per_sector: sectorBytes, sectors_per_chunk, sectors, chunks } = fields;
  const chunkBytes = sectors_per_chunk * sectorBytes;
  const isSize = sectorBytes >= MIN_SECTOR_BYTES && sectorBytes <= MAX_SECTOR_BYTES &&
    (sectorBytes & (sectorBytes - 1)) === 0;
  if (!isSize) throw damaged(file, `sectors of ${sectorBytes} bytes are not possible`, dataOffset);
  if (chunkBytes === 0 || chunkBytes > MAX_CHUNK_BYTES) {
    throw damaged(file, `chunks of ${chunkBytes} bytes are not possible`, dataOffset);
  }
  const sizeBytes = servedSize(sectors * BigInt(sectorBytes), EWF.name, file.path);
  if (chunks < Math.ceil(sizeBytes / chunkBytes)) {
    throw damaged(file, "there are too few chunks for the disk", dataOffset);
  }
  return { sizeBytes, sectorBytes, chunkBytes, chunks, setId: guidText(fields.set_identifier) };
}
