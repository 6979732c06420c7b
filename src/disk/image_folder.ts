/**
 * Folders that are images: what they are is said by a file in them, which stands for them.
 *
 * @module
 */
import { PARALLELS } from "../image/formats.ts";
import { fileStatusIfAny } from "../sys/files.ts";

/** The file that stands for a folder. */
export interface FolderImage {
  readonly path: string;
  /** Name of its format. */
  readonly format: string;
}

/** What is in folders of each format that have one. */
const DESCRIPTIONS = [{ name: "DiskDescriptor.xml", format: PARALLELS.name }] as const;

/** The image that the folder at `path` is; undefined if it is none, or no folder. */
export function imageOfFolder(path: string): FolderImage | undefined {
  if (fileStatusIfAny(path)?.kind !== "directory") return undefined;
  for (const { name, format } of DESCRIPTIONS) {
    const inside = `${path}${path.endsWith("/") ? "" : "/"}${name}`;
    if (fileStatusIfAny(inside)?.kind === "file") return { path: inside, format };
  }
  return undefined;
}

/** What stands for the image at `path`, be that a folder or not. */
export function imageFileAt(path: string): string {
  return imageOfFolder(path)?.path ?? path;
}
