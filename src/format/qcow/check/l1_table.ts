/**
 * The disk's L1 table as it has to be.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header_types.ts";
import { offsetInEntry } from "../l1.ts";
import { TABLE_ENTRY_BYTES } from "../layout.ts";
import { withFlag } from "./copied_flags.ts";
import type { RightCounts } from "./right_counts.ts";

export interface L1Means {
  readonly counts: RightCounts;
  /** Where tables have gone, by their cluster. */
  readonly copies: ReadonlyMap<number, number>;
}

/** All of it as it is; throws as {@link ImageFile.read}. */
export function readL1(
  file: ImageFile,
  { l1Offset, l1AllEntries }: Pick<Header, "l1Offset" | "l1AllEntries">,
): IoBuffer {
  const l1 = new IoBuffer(l1AllEntries * TABLE_ENTRY_BYTES);
  file.read(l1, 0, l1Offset, l1.size);
  return l1;
}

/**
 * Has each entry lead to where its table has gone, with the right flag, or be none.
 *
 * @returns whether anything was wrong
 */
export function putL1Right(
  { view, size }: IoBuffer,
  clusterBytes: number,
  { counts, copies }: L1Means,
): boolean {
  let wasWrong = false;
  for (let at = 0; at < size; at += TABLE_ENTRY_BYTES) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (high === 0 && low === 0) continue;
    const offset = offsetInEntry(view, at);
    const cluster = Math.floor(offset / clusterBytes);
    const copy = copies.get(cluster);
    if (offset === 0) view.setBigUint64(at, 0n);
    else if (copy !== undefined) view.setBigUint64(at, BigInt(copy * clusterBytes));
    if (offset !== 0) {
      const isOnce = counts.get(copy ?? cluster) === 1;
      view.setUint32(at, withFlag(view.getUint32(at), isOnce));
    }
    wasWrong ||= high !== view.getUint32(at) || low !== view.getUint32(at + 4);
  }
  return wasWrong;
}
