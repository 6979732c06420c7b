/**
 * The trailer: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { DMG } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { damaged } from "./errors.ts";
import {
  ENCRYPTED_MAGIC,
  MAX_DESCRIPTION_BYTES,
  OLD_ENCRYPTED_MAGIC,
  TRAILER,
  TRAILER_MAGIC,
} from "./layout.ts";

/** A part of the file. */
export interface Range {
  readonly hostOffset: number;
  readonly lengthBytes: number;
}

/** What the driver needs of a valid trailer. */
export interface Trailer {
  readonly sectors: bigint;
  readonly dataForkOffset: bigint;
  /** The checksum of the tables' checksums, as it is recorded. */
  readonly masterSum: DataView;
  /** What has the tables: one of them at least. */
  readonly plist: Range | undefined;
  readonly resources: Range | undefined;
}

/**
 * Reads and checks the trailer of an image.
 *
 * @throws {ImageFormatError} if there is no valid one
 * @throws {UnsupportedFeatureError} if the image is encrypted, or one of several files
 * @throws {SystemError} if the file cannot be read
 */
export function readTrailer(file: ImageFile): Trailer {
  const fields = fieldsAt(file, file.sizeBytes - TRAILER.sizeBytes) ?? fieldsAt(file, 0);
  if (fields === undefined) {
    if (isEncrypted(file)) throw new UnsupportedFeatureError(DMG.name, file.path, "encryption");
    throw damaged(file.path, "this is no DMG image: it has no trailer");
  }
  const { segment_count: segments } = fields;
  if (segments > 1) {
    throw new UnsupportedFeatureError(DMG.name, file.path, `${segments} segments`);
  }
  const plist = rangeOf(file, "property list", fields.plist_offset, fields.plist_length);
  const resources = rangeOf(
    file,
    "resource fork",
    fields.resource_fork_offset,
    fields.resource_fork_length,
  );
  if (plist === undefined && resources === undefined) {
    throw damaged(file.path, "there is no table of the disk");
  }
  return {
    sectors: fields.sectors,
    dataForkOffset: fields.data_fork_offset,
    masterSum: new DataView(fields.master_checksum.buffer),
    plist,
    resources,
  };
}

/** Undefined where there is none. */
function fieldsAt(
  file: ImageFile,
  hostOffset: number,
): ReturnType<typeof TRAILER.read> | undefined {
  if (hostOffset < 0 || file.sizeBytes < TRAILER.sizeBytes) return undefined;
  const buffer = readRange(file, { hostOffset, lengthBytes: TRAILER.sizeBytes });
  const fields = TRAILER.read(buffer.view, 0);
  return isSame(fields.magic, TRAILER_MAGIC) ? fields : undefined;
}

function isEncrypted(file: ImageFile): boolean {
  const lengthBytes = ENCRYPTED_MAGIC.length;
  if (file.sizeBytes < lengthBytes) return false;
  const head = readRange(file, { hostOffset: 0, lengthBytes }).bytes;
  const tail = readRange(file, { hostOffset: file.sizeBytes - lengthBytes, lengthBytes }).bytes;
  return isSame(head, ENCRYPTED_MAGIC) || isSame(tail, OLD_ENCRYPTED_MAGIC);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, index) => other[index] === byte);
}

/** Undefined where nothing is there. */
function rangeOf(
  file: ImageFile,
  name: string,
  offset: bigint,
  length: bigint,
): Range | undefined {
  if (length === 0n) return undefined;
  if (offset + length > BigInt(file.sizeBytes)) {
    throw damaged(file.path, `the ${name} lies outside the file`);
  }
  if (length > MAX_DESCRIPTION_BYTES) {
    throw damaged(file.path, `the ${name} of ${length} bytes is too long`);
  }
  return { hostOffset: Number(offset), lengthBytes: Number(length) };
}

/** Bytes of the file, where it has them. */
export function readRange(file: ImageFile, { hostOffset, lengthBytes }: Range): IoBuffer {
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}
