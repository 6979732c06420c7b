/**
 * What persistent bitmaps take of the file (specification, "Bitmaps"): a directory, a table for each
 * bitmap, and the clusters that those name.
 *
 * @module
 */
import type { ImageFile } from "../../../../storage/image_file.ts";
import { EntryLists } from "../../check/entry_lists.ts";
import type { Header } from "../../header_types.ts";
import { offsetInEntry } from "../../l1.ts";
import { AUTOCLEAR_BITMAPS, TABLE_ENTRY_BYTES } from "../../layout.ts";
import { BitmapDirectory } from "./directory.ts";

/** Called with a part of the file; of a table, before it is read. */
export type TakeArea = (what: string, hostOffset: number, lengthBytes: number) => void;

/**
 * Calls `take` for all that bitmaps have which the header says to be valid, those that are in use among
 * them. Of a directory that is not known here there is nothing: it is invalid from the first change on.
 *
 * @throws {SystemError} if the file cannot be read
 * @throws what `take` throws, as for a table that cannot be where it is said to be
 */
export function forEachBitmapArea(file: ImageFile, header: Header, take: TakeArea): void {
  const directory = knownDirectory(file, header);
  if (directory === undefined) return;
  take("directory of bitmaps", directory.hostOffset, directory.sizeBytes);
  const tables = new EntryLists(file);
  for (const { tableOffset, tableEntries } of directory.entries) {
    take("bitmap's table", tableOffset, tableEntries * TABLE_ENTRY_BYTES);
    tables.add(tableOffset, tableEntries);
  }
  tables.forEach((view, position) => {
    const hostOffset = offsetInEntry(view, position);
    if (hostOffset !== 0) take("bitmap", hostOffset, header.clusterBytes);
  });
}

function knownDirectory(
  file: ImageFile,
  { autoclear, clusterBytes }: Header,
): BitmapDirectory | undefined {
  if ((autoclear & AUTOCLEAR_BITMAPS) === 0n) return undefined;
  try {
    return BitmapDirectory.read(file, clusterBytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
