/**
 * Folders with the pieces of a disk.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { unsortedDirectory } from "../sys/directories.ts";
import { O_RDONLY, openFile } from "../sys/files.ts";
import { folderOf } from "../sys/paths.ts";
import type { NamedPlace } from "./parent_places.ts";

/** So many are open at the same time, at most. */
const MAX_PIECES = 16_384;

/** Path of the folder `name` in `folder`, or of that itself where the name is empty. */
export function pathIn(folder: string, name: string): string {
  if (name === "") return folder;
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

/**
 * The pieces in a folder, open, in the order of their names; what is empty is left out.
 *
 * @throws {SystemError} if the folder cannot be read
 * @throws {RangeError} if there are too many
 * @throws whatever `open` does; all are closed then
 */
export function piecesIn(
  path: string,
  isPiece: (name: string) => boolean,
  open: (place: NamedPlace) => ImageFile,
): ImageFile[] {
  // Without this, what cannot be read, or is no folder, would look like an empty one.
  openFile(pathIn(path, "."), O_RDONLY).close();
  const names = unsortedDirectory(path).filter((name) => name.isWellFormed() && isPiece(name));
  if (names.length > MAX_PIECES) {
    throw new RangeError(`${names.length} files are more than ${MAX_PIECES}`);
  }
  const files: ImageFile[] = [];
  try {
    for (const name of names.sort()) {
      const file = open({ path: pathIn(path, name), folder: path });
      if (file.sizeBytes > 0) files.push(file);
      else file[Symbol.dispose]();
    }
    return files;
  } catch (error) {
    for (const file of files) file[Symbol.dispose]();
    throw error;
  }
}

/** Those of a folder that are next among files that are open already: they are taken off `files`. */
export function takePiecesIn(
  path: string,
  files: ImageFile[],
  isPiece: (name: string) => boolean,
): ImageFile[] {
  const isNext = (file: ImageFile): boolean =>
    folderOf(file.path) === path && isPiece(file.path.slice(pathIn(path, "x").length - 1));
  const end = files.findIndex((file) => !isNext(file));
  return files.splice(0, end < 0 ? files.length : end);
}
