/**
 * Where the image below may be, of which an image records what it is, and perhaps what it was called:
 * somebody else's paths, on another system, of a folder that has been moved since.
 *
 * @module
 */
import type { RecordedPath } from "../image/identity.ts";
import { unsortedDirectory } from "../sys/directories.ts";
import { ENAMETOOLONG, ENOENT, SystemError } from "../sys/errno.ts";
import { baseName, folderOf } from "../sys/paths.ts";

/** A file that may be it. */
export interface NamedPlace {
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
export function placesOfNames(names: readonly RecordedPath[], folder: string): NamedPlace[] {
  return placesIn(foldersToSearch(folder), names, folder);
}

/** Where a piece of an image in `folder` may be: what has been moved there is beside it. */
export function placesOfPiece(names: readonly RecordedPath[], folder: string): NamedPlace[] {
  return placesIn([folder], names, folder);
}

function placesIn(
  folders: readonly string[],
  names: readonly RecordedPath[],
  folder: string,
): NamedPlace[] {
  const asRecorded = names.flatMap((name) => placeAsRecorded(name, folder));
  const bareNames = names.map(lastPart).filter((name) => !["", ".", ".."].includes(name));
  const beside = folders.flatMap((start) => bareNames.map((name) => placeIn(start, name)));
  return distinct([...asRecorded, ...beside]);
}

/**
 * Opens the first of the places where there is something.
 *
 * @throws {SystemError} ENOENT if that is none
 * @throws whatever `open` does for other reasons
 */
export function openFirst<T>(places: readonly NamedPlace[], open: (place: NamedPlace) => T): T {
  for (const place of places) {
    try {
      return open(place);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  throw new SystemError("open", ENOENT, places[0]?.path ?? "");
}

/** Whether no file has that name, or it is too long to be one, as images may well record. */
export function isMissing(error: unknown): boolean {
  return error instanceof SystemError && [ENOENT, ENAMETOOLONG].includes(error.errno);
}

/** Files in those folders with a name that ends with one of `extensions`, in any case. */
export function placesOfFiles(folder: string, extensions: readonly string[]): NamedPlace[] {
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
function placeAsRecorded({ kind, path }: RecordedPath, folder: string): NamedPlace[] {
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

function placeIn(folder: string, name: string): NamedPlace {
  return { path: `${folder === "/" ? "" : folder}/${name}`, folder };
}

function distinct(places: readonly NamedPlace[]): NamedPlace[] {
  return places.filter(({ path }, index) =>
    places.findIndex((other) => other.path === path) === index
  );
}
