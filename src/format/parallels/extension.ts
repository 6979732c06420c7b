/**
 * The extension: features that were added to the format later. None is needed to read a disk, but for those
 * that say so.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { Header } from "./header.ts";
import {
  EXTENSION,
  EXTENSION_MAGIC,
  FEATURE,
  FEATURE_DIRTY_BITMAP,
  FEATURE_NECESSARY,
} from "./layout.ts";

/** The extension has one cluster; of a large one, so much is looked at. */
const MAX_BYTES = 1024 * 1024;

/**
 * @throws {ImageFormatError} if the extension is not where the header says, or is cut off
 * @throws {UnsupportedFeatureError} if it has a feature that has to be known, and is not
 * @throws {SystemError} if it cannot be read
 */
export function refuseUnknownFeatures(file: ImageFile, header: Header): void {
  const { extensionOffset, clusterBytes } = header;
  if (extensionOffset === 0n) return;
  const damaged = (message: string): ImageFormatError =>
    new ImageFormatError(PARALLELS.name, file.path, message, Number(extensionOffset));
  const lengthBytes = Math.min(clusterBytes, MAX_BYTES);
  if (extensionOffset + BigInt(lengthBytes) > BigInt(file.sizeBytes)) {
    throw damaged("the extension is not in the file");
  }
  const { view } = readArea(file, Number(extensionOffset), lengthBytes);
  if (EXTENSION.read(view, 0).magic !== EXTENSION_MAGIC) throw damaged("there is no extension");
  let at = EXTENSION.sizeBytes;
  while (at + FEATURE.sizeBytes <= lengthBytes) {
    const { magic, flags, data_size } = FEATURE.read(view, at);
    if (magic === 0n) return;
    if (magic !== FEATURE_DIRTY_BITMAP && (flags & FEATURE_NECESSARY) !== 0n) {
      const feature = `the extension 0x${magic.toString(16)}`;
      throw new UnsupportedFeatureError(PARALLELS.name, file.path, feature);
    }
    at += FEATURE.sizeBytes + Math.ceil(data_size / 8) * 8;
  }
  throw damaged("the extension has no end");
}

function readArea(file: ImageFile, hostOffset: number, lengthBytes: number): IoBuffer {
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}
