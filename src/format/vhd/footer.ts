/**
 * The footer, and the copy of it at the start of the file.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { VHD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { startsWith } from "../kit/starts_with.ts";
import { damaged } from "./errors.ts";
import {
  COOKIE,
  CREATORS_BY_GEOMETRY,
  DiskType,
  FOOTER,
  FOOTER_BYTES,
  MAJOR_VERSION,
  MAX_GEOMETRY,
  SECTOR_BYTES,
} from "./layout.ts";

export type FooterFields = ReturnType<typeof FOOTER.read>;

/** A footer, and what is to be thought of it. */
export interface Footer {
  readonly fields: FooterFields;
  /** All of it, as it is on the disk. */
  readonly bytes: Uint8Array;
  /** Whether its copy at the start is there, and the same. */
  readonly hasCopy: boolean;
  /** Whether the one at the end is missing or damaged, so that its copy had to do. */
  readonly isCopy: boolean;
  /** Whether its checksum is wrong. */
  readonly isDamaged: boolean;
}

/** What takes an image with a wrong checksum all the same. */
export const FORCE_HINT = " (--force reads it all the same)";

/** What is done about a wrong checksum, as some programs leave it. */
export interface Strictness {
  /** Whether the image is taken all the same. */
  readonly force: boolean;
}

/**
 * The footer, or where that is damaged, its copy, which images of fixed size have not: their first sector is
 * the disk's, and could have been written by anybody.
 *
 * @throws {ImageFormatError} if there is no valid one
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readFooter(file: ImageFile, { force }: Strictness): Footer {
  const atEnd = file.sizeBytes - FOOTER_BYTES;
  if (atEnd < 0) throw damaged(file.path, "the file is too short for a footer");
  const own = footerAt(file, atEnd);
  const copy = footerAt(file, 0);
  const found = [own, copy?.fields.type === DiskType.fixed ? undefined : copy];
  const best = found.find((footer) => footer?.isDamaged === false) ??
    (force ? found.find((footer) => footer !== undefined) : undefined);
  if (best !== undefined) {
    const hasCopy = copy !== undefined && startsWith(copy.bytes, best.bytes);
    return { ...best, hasCopy, isCopy: best !== own, fields: checked(best.fields, file) };
  }
  if (own === undefined && copy === undefined) throw damaged(file.path, "this is no VHD image");
  throw damaged(file.path, `the checksum of the footer is wrong${FORCE_HINT}`, atEnd);
}

type FoundFooter = Pick<Footer, "fields" | "isDamaged" | "bytes">;

/** Undefined where there is none. */
function footerAt(file: ImageFile, hostOffset: number): FoundFooter | undefined {
  const buffer = new IoBuffer(FOOTER_BYTES);
  file.read(buffer, 0, hostOffset, FOOTER_BYTES);
  const fields = FOOTER.read(buffer.view, 0);
  if (!startsWith(fields.cookie, COOKIE)) return undefined;
  const isDamaged = fields.checksum !== checksum(buffer.bytes, FOOTER.offsets.checksum);
  return { fields, isDamaged, bytes: buffer.bytes };
}

/** One's complement of the sum of all bytes but those of the sum itself, which lies at `position`. */
export function checksum(bytes: Uint8Array, position: number): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) {
    if (index < position || index >= position + 4) sum += byte;
  }
  return ~sum >>> 0;
}

function checked(fields: FooterFields, { path }: ImageFile): FooterFields {
  const { version, type } = fields;
  const major = version >>> 16;
  if (major !== MAJOR_VERSION) {
    throw new UnsupportedFeatureError(VHD.name, path, `version ${major}.${version & 0xffff}`);
  }
  const isKnown = Object.values(DiskType).some((known) => known === type);
  if (!isKnown) throw damaged(path, `the disk type ${type} is not possible`);
  return fields;
}

/** Size of the disk in bytes, whole sectors, by the rule of the program that has made the image. */
export function diskSize(fields: FooterFields): bigint {
  const { cylinders, heads, sectors, current_size } = fields;
  const isLargest = cylinders === MAX_GEOMETRY.cylinders && heads === MAX_GEOMETRY.heads &&
    sectors === MAX_GEOMETRY.sectors;
  const sector = BigInt(SECTOR_BYTES);
  if (CREATORS_BY_GEOMETRY.includes(creatorOf(fields)) && !isLargest) {
    return BigInt(cylinders * heads * sectors) * sector;
  }
  return current_size / sector * sector;
}

/** Four characters that name the program. */
export function creatorOf({ creator }: FooterFields): string {
  return String.fromCharCode(...creator);
}
