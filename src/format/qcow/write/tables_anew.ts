/**
 * Reading all tables anew, after they have been changed where they are by what does not go by them.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { readHeader } from "../header.ts";
import { L1Table, offsetInEntry } from "../l1.ts";
import type { L2Slices } from "../l2.ts";
import type { Allocator } from "./allocator.ts";

/** What is kept of tables in memory. */
export interface TablesInMemory {
  readonly file: ImageFile;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly allocator: Allocator;
}

/**
 * Has `change` change them on the disk, where nothing waits to be written, or to be freed.
 *
 * @throws {Error} what it throws, or if they cannot be read anew: nothing more is written then
 */
export function changeTablesOnDisk(tables: TablesInMemory, change: () => void): void {
  try {
    change();
  } finally {
    // Of what was lost, nobody knows what is on the disk.
    if (!tables.file.hasLost) readAnew(tables);
  }
}

/** What cannot be read anew is not what is on the disk: nothing more is written then. */
function readAnew({ file, l1, slices, allocator }: TablesInMemory): void {
  try {
    const header = readHeader(file);
    l1.take(new L1Table(file, header, offsetInEntry));
    slices.clear();
    allocator.readAnew(header);
  } catch (error) {
    file.syncFailed();
    throw error;
  }
}
