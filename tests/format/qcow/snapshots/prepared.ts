/**
 * Images with a history: some snapshots, and a disk that has been written to since each.
 *
 * @module
 */
import { changeSnapshots } from "../../../../src/format/qcow/snapshots/change.ts";
import type { ImageFile } from "../../../../src/storage/image_file.ts";
import type { SnapshotChange } from "../../../../src/image/snapshot_change.ts";
import { diskContent } from "../check/disk_content.ts";
import { makeOriginal, type Original, type OriginalRecipe, recipeOf } from "../write/originals.ts";
import { Random, randomOp } from "../write/random_ops.ts";
import { openForWriting, WritableDisk } from "../write/writable_disk.ts";

/** One for each feature that matters to what refers to what. */
const NAMES = [
  "half full",
  "64 KiB",
  "version 2, backed",
  "backed by qcow2",
  "compressed",
  "snapshot, 512 B, compressed",
  "zero clusters, backed",
  "odd size",
  "extended L2, backed",
  "extended L2, compressed",
  "LUKS",
  "counts of 2 bits",
  "counts of 8 bits",
  "counts of 64 bits, snapshot",
  "bitmaps",
  "lazy refcounts",
];
export const SNAPSHOT_RECIPES: readonly OriginalRecipe[] = NAMES.map(recipeOf);

/** Makes one, with snapshots "one" and "two", whose disks differ, and from the disk that there is. */
export async function makeWithHistory(folder: string, recipe: OriginalRecipe): Promise<Original> {
  const original = await makeOriginal(folder, recipe);
  for (const [index, name] of ["one", "two"].entries()) {
    change(original.path, { action: "create", name });
    writeSome(original, index + 1, 8);
  }
  return original;
}

export function change(path: string, wanted: SnapshotChange, file?: ImageFile): void {
  using opened = file ?? openForWriting(path);
  changeSnapshots(opened, wanted);
}

/** Random changes of the disk, which is closed in order. */
export function writeSome({ path, keys }: Original, seed: number, ops: number): void {
  const random = new Random(seed);
  const disk = new WritableDisk(path, keys === undefined ? {} : { keys });
  const { unitBytes = 512 } = disk.access.image.writing?.tables ?? {};
  const limits = { sizeBytes: disk.sizeBytes, mostBytes: 16 * unitBytes, unitBytes };
  for (let id = 1; id <= ops; id++) disk.apply(randomOp(random, limits, 100 * seed + id));
  if (!disk.close()) throw new Error("not closed in order");
}

/** The disk, and that of each snapshot, as a text. */
export function contentOf(original: Original, names: readonly string[]): string {
  return diskContent(original, names).join("\n");
}
