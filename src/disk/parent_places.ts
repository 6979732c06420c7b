/**
 * Where the image below may be, of which an image records what it is, and perhaps what it was called:
 * somebody else's paths, on another system, of a folder that has been moved since.
 *
 * @module
 */
import type { RecordedPath } from "../image/identity.ts";
import { unsortedDirectory } from "../sys/directories.ts";
import { baseName, folderOf } from "../sys/paths.ts";

/** A file that may be it. */
export interface ParentPlace {
  readonly path: string;
  /** Folder its name starts from, which decides what it means; undefined if the name is absolute. */
  readonly folder: string | undefined;
}

/** In one folder, as many files are looked into at most: the first ones by name. */
export const MAX_FILES = 500;
const DRIVE_OR_SERVER = /^(?:[A-Za-z]:|\\\\)/;

/** Where images lie beside `folder`, an image's own: VirtualBox keeps what lies below snapshots above them. */
export function foldersToSearch(folder: string): string[] {
  return folder === "/" ? ["/"] : [folder, folderOf(folder)];
}

/** Where recorded names may lead to, the likeliest place first; `folder` is that of the image. */
export function placesOfNames(names: readonly RecordedPath[], folder: string): ParentPlace[] {
  const asRecorded = names.flatMap((name) => placeAsRecorded(name, folder));
  const bareNames = names.map(lastPart).filter((name) => !["", ".", ".."].includes(name));
  const beside = foldersToSearch(folder).flatMap((start) =>
    bareNames.map((name) => placeIn(start, name))
  );
  return distinct([...asRecorded, ...beside]);
}

/** Files in those folders with a name that ends with one of `extensions`, in any case. */
export function placesOfFiles(folder: string, extensions: readonly string[]): ParentPlace[] {
  return foldersToSearch(folder).flatMap((start) =>
    namesWith(extensions, start).sort().slice(0, MAX_FILES).map((name) => placeIn(start, name))
  );
}

/** Those of the folders that have more of such files than are looked into. */
export function crowdedFolders(folder: string, extensions: readonly string[]): string[] {
  return foldersToSearch(folder).filter((start) => namesWith(extensions, start).length > MAX_FILES);
}

function namesWith(extensions: readonly string[], folder: string): string[] {
  return unsortedDirectory(folder)
    .filter((name) => name.isWellFormed() && extensions.some((end) => hasExtension(name, end)));
}

function hasExtension(name: string, extension: string): boolean {
  return name.toLowerCase().endsWith(`.${extension}`);
}

/** None for what can mean nothing on this system. */
function placeAsRecorded({ kind, path }: RecordedPath, folder: string): ParentPlace[] {
  if (path === "" || path.includes("\0") || !path.isWellFormed()) return [];
  if (kind === "windows" && DRIVE_OR_SERVER.test(path)) return [];
  const name = kind === "windows" ? path.replaceAll("\\", "/") : path;
  if (!name.startsWith("/")) return [placeIn(folder, name)];
  return kind === "windows" ? [] : [{ path: name, folder: undefined }];
}

function lastPart({ kind, path }: RecordedPath): string {
  if (path.includes("\0") || !path.isWellFormed()) return "";
  return baseName(kind === "windows" ? path.replaceAll("\\", "/") : path);
}

function placeIn(folder: string, name: string): ParentPlace {
  return { path: `${folder === "/" ? "" : folder}/${name}`, folder };
}

function distinct(places: readonly ParentPlace[]): ParentPlace[] {
  return places.filter(({ path }, index) =>
    places.findIndex((other) => other.path === path) === index
  );
}
