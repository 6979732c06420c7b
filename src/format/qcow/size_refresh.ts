/**
 * Taking notice that another program has given the disk of an image another size.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { DiskSize } from "./disk_size.ts";
import { damaged } from "./errors.ts";
import { readHeader } from "./header.ts";
import type { Header } from "./header_types.ts";
import { L1Table, offsetInEntry } from "./l1.ts";
import type { L2Slices } from "./l2.ts";

/** What of an open image depends on its size. */
export interface SizedParts {
  readonly file: ImageFile;
  /** As the image was opened. */
  readonly header: Header;
  readonly size: DiskSize;
  readonly l1: L1Table;
  readonly slices: L2Slices;
}

/** What stays the same when the size changes. */
const LASTING = [
  "version",
  "clusterBits",
  "cryptMethod",
  "compressionType",
  "extendedL2",
  "hasDataFile",
] as const satisfies readonly (keyof Header)[];

/**
 * Goes by the size that the header says now, and by the L1 table, which may have moved.
 *
 * @throws {ImageFormatError | UnsupportedFeatureError} if it is not the same image any more, or damaged
 * @throws {SystemError} if it cannot be read; all stays as it was then
 */
export function refreshSize({ file, header, size, l1, slices }: SizedParts): void {
  const now = readHeader(file);
  if (now.sizeBytes === size.bytes) return;
  if (LASTING.some((name) => now[name] !== header[name])) {
    throw damaged(file.path, "it is another image by now");
  }
  l1.take(new L1Table(file, now, offsetInEntry));
  slices.clear();
  slices.describe(now.sizeBytes);
  size.set(now.sizeBytes);
}
