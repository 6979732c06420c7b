/**
 * Entries of L1 and L2 tables: the place of a table, or of a cluster. No bits of them are reserved.
 *
 * @module
 */
import { ENTRY_FREE, ENTRY_ZERO } from "./layout.ts";

/** All bits are the offset's; one that no number can hold exactly is past the end of every file. */
export function entryAt(view: DataView, position: number): number {
  return view.getUint32(position + 4, true) * 2 ** 32 + view.getUint32(position, true);
}

export function setEntry(view: DataView, position: number, entry: number): void {
  view.setUint32(position, entry >>> 0, true);
  view.setUint32(position + 4, Math.floor(entry / 2 ** 32), true);
}

/** Whether an L2 entry says where a cluster is. */
export function isPlace(entry: number): boolean {
  return entry !== ENTRY_FREE && entry !== ENTRY_ZERO;
}
