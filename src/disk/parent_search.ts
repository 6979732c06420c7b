/**
 * Finding the image below by what it is. Of each file that may be it only the header is read, and no file
 * is looked into that the image may not name.
 *
 *     named by the user ──> recorded names ──> files of the format in the image's folder, and in the one above
 *
 * @module
 */
import type { FormatDriver } from "../image/driver.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../image/errors.ts";
import type { Identity, Parent } from "../image/identity.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SystemError } from "../sys/errno.ts";
import { reasonOf } from "../sys/reason.ts";
import {
  crowdedFolders,
  foldersToSearch,
  isMissing,
  MAX_FILES,
  type NamedPlace,
  placesOfFiles,
  placesOfNames,
} from "./parent_places.ts";
import { isMarkedAs } from "./probe.ts";

/** What is searched for, and how. */
export interface ParentSearch {
  readonly parent: Parent;
  /** Those of the formats that the parent may have, the likeliest first. */
  readonly drivers: readonly [FormatDriver, ...FormatDriver[]];
  /** Folder of the image above it. */
  readonly folder: string;
  /** What the user says it is, if so. */
  readonly named: string | undefined;
  /** Whether another image than the right one will do. */
  readonly force: boolean;
  /** Opens a file, if the image may name it; throws as `openNamedFile`. */
  open(place: NamedPlace): ImageFile;
  /** Whether it is known that a file is not it: the image itself, say. */
  isExcluded(file: ImageFile): boolean;
}

/** An open file that has been found. */
export interface FoundParent {
  readonly file: ImageFile;
  /** Why it should not be used, if that was forced. */
  readonly fault: string | undefined;
}

/**
 * The file of the image below, open.
 *
 * @throws {Error} if there is none, or only one that has been changed meanwhile; says where it was looked for
 */
export function findParent(search: ParentSearch): FoundParent {
  if (search.named !== undefined) return namedParent(search.named, search);
  const refusals = new Set<string>();
  const named = placesOfNames(search.parent.names, search.folder).map(({ path }) => path);
  let second: FoundParent | undefined;
  for (const place of placesToTry(search)) {
    const file = openIfAny(place, search, refusals);
    if (file === undefined) continue;
    const fault = faultOf(file, search);
    if (fault === undefined) {
      second?.file[Symbol.dispose]();
      return { file, fault };
    }
    // What has its name is mentioned: it may be it, written to since.
    const isNamed = fault.differs === "identity" && named.includes(place.path);
    if (isNamed) refusals.add(`${place.path}: ${fault.text}`);
    if (second === undefined && fault.differs === "state") second = { file, fault: fault.text };
    else file[Symbol.dispose]();
  }
  if (second === undefined) throw new Error(notFound(search, refusals));
  return unlessRefused(second, search);
}

function* placesToTry({ parent, drivers, folder }: ParentSearch): Generator<NamedPlace> {
  yield* placesOfNames(parent.names, folder);
  // A name alone does not say which of other images it is.
  if (parent.identity.id === undefined) return;
  for (const { extensions = [] } of drivers) yield* placesOfFiles(folder, extensions);
}

function namedParent(path: string, search: ParentSearch): FoundParent {
  const file = search.open({ path, folder: undefined });
  const fault = faultOf(file, search);
  const text = fault && `${path}: ${fault.text}`;
  if (fault?.differs !== "format") return unlessRefused({ file, fault: text }, search);
  file[Symbol.dispose]();
  throw new Error(text);
}

/** @throws {Error} if it is not the right one, and nobody has said that it will do */
function unlessRefused(found: FoundParent, { force }: ParentSearch): FoundParent {
  if (found.fault === undefined || force) return found;
  found.file[Symbol.dispose]();
  throw new Error(`${found.fault} (--force takes it all the same)`);
}

/** What is not there is nothing to speak of; what may not be opened is. */
function openIfAny(
  place: NamedPlace,
  search: ParentSearch,
  refusals: Set<string>,
): ImageFile | undefined {
  try {
    const file = search.open(place);
    if (!search.isExcluded(file)) return file;
    file[Symbol.dispose]();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (!isMissing(error)) refusals.add(`${place.path}: ${reasonOf(error)}`);
  }
  return undefined;
}

/** Why a file is not the one that is searched for. */
interface Fault {
  readonly text: string;
  /** By what it is another one: `state` is that of the same image, `format` one that cannot be below. */
  readonly differs: "format" | "identity" | "state";
}

function faultOf(file: ImageFile, { parent, drivers }: ParentSearch): Fault | undefined {
  const driver = driverOfParent(file, drivers);
  if (driver === undefined) {
    const names = drivers.map(({ name }) => name).join(" or ");
    return { text: `it is no ${names} image`, differs: "format" };
  }
  const found = identityIn(file, driver);
  const { identity: { id }, otherIds = [] } = parent;
  if (id !== undefined && ![id, ...otherIds].includes(found?.id ?? "")) {
    return { text: `its UUID is ${found?.id ?? "missing"}, not ${id}`, differs: "identity" };
  }
  for (const [key, name] of STATES) {
    const wanted = parent.identity[key];
    if (wanted === undefined || found?.[key] === wanted) continue;
    const text = `${file.path} was changed after the image above it was made: its ${name} is ` +
      `${found?.[key] ?? "missing"}, not ${wanted}`;
    return { text, differs: "state" };
  }
  return undefined;
}

/** What changes whenever an image is written to, and what it is called. */
const STATES = [["state", "modification UUID"], ["contentId", "CID"]] as const;

/** Which of the formats it has that the image below may have. */
export function driverOfParent(
  file: ImageFile,
  drivers: ParentSearch["drivers"],
): FormatDriver | undefined {
  return drivers.find((driver) => isOfFormat(file, driver));
}

/** What cannot be read is of no format. */
function isOfFormat(file: ImageFile, driver: FormatDriver): boolean {
  try {
    return isMarkedAs(driver, file);
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

function identityIn(file: ImageFile, driver: FormatDriver): Identity | undefined {
  try {
    return driver.info?.(file).identity;
  } catch (error) {
    const isOther = error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
      error instanceof SystemError;
    if (isOther) return undefined;
    throw error;
  }
}

function notFound({ parent, drivers, folder }: ParentSearch, refusals: Set<string>): string {
  const [driver] = drivers;
  const where = foldersToSearch(folder).join(" or ");
  const [refusal] = refusals;
  const more = refusal === undefined ? "" : `; ${refusal}`;
  const crowded = crowdedFolders(folder, driver.extensions ?? []).join(" and ");
  const reach = crowded === "" ? "" : `; only ${MAX_FILES} files of ${crowded} were looked into`;
  const which = parent.identity.id === undefined ? "of that name" : "with that UUID";
  return `no ${driver.name} image ${which} is in ${where} (--parent <file> names it)` +
    more + reach;
}
