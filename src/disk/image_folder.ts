/**
 * Folders that are images: what they are is said by a file in them, which stands for them.
 *
 * @module
 */
import { PARALLELS, SPARSEBUNDLE } from "../image/formats.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { baseName, folderOf } from "../sys/paths.ts";

/** The file that stands for a folder. */
export interface FolderImage {
  readonly path: string;
  /** Name of its format. */
  readonly format: string;
}

/** What is in folders of each format that have one: the file that counts, and what else there has to be. */
const DESCRIPTIONS = [
  { name: "DiskDescriptor.xml", format: PARALLELS.name, beside: [] },
  // Other bundles of macOS have a file of that name as well.
  { name: "Info.plist", format: SPARSEBUNDLE.name, beside: ["bands"] },
] as const;

/** The image that the folder at `path` is; undefined if it is none, or no folder. */
export function imageOfFolder(path: string): FolderImage | undefined {
  if (fileStatusIfAny(path)?.kind !== "directory") return undefined;
  const inside = (name: string): string => `${path}${path.endsWith("/") ? "" : "/"}${name}`;
  const found = DESCRIPTIONS.find(({ name, beside }) =>
    fileStatusIfAny(inside(name))?.kind === "file" &&
    beside.every((other) => fileStatusIfAny(inside(other)) !== undefined)
  );
  return found && { path: inside(found.name), format: found.format };
}

/**
 * What is to be said of a file of a format that is attached alone, though it lies in such a folder; undefined if
 * nothing is.
 */
export function partHint(path: string, format: string): string | undefined {
  const folder = folderOf(path);
  const image = imageOfFolder(folder);
  if (image?.format !== format || baseName(path) === baseName(image.path)) return undefined;
  return `it is only a part of ${folder}, which has what its snapshots have`;
}

/** What stands for the image at `path`, be that a folder or not. */
export function imageFileAt(path: string): string {
  return imageOfFolder(path)?.path ?? path;
}
