/**
 * Layers that last: QCOW images whose backing file is the image that is shown through them. Anybody who
 * knows such images can use them on their own.
 *
 * @module
 */
import { createQcow } from "../format/qcow/create.ts";
import { qcow } from "../format/qcow/mod.ts";
import type { FormatDriver } from "../image/driver.ts";
import { identityOf, ImageFile } from "../storage/image_file.ts";
import { ENOENT, SystemError } from "../sys/errno.ts";
import { fileStatusIfAny, linkStatusIfAny } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import { baseName, folderOf, readLink, realPath } from "../sys/paths.ts";
import { NewFile } from "../sys/unnamed_file.ts";
import { lockImage } from "./lock.ts";
import { openImageFile } from "./open_file.ts";
import type { Overlay } from "./overlay.ts";
import { isMarkedAs, versionOf } from "./probe.ts";
import { findRecordedDriver, recordedName } from "./registry.ts";
import { parseRelatedName } from "./related_name.ts";

/** The image below a layer. */
export interface Base {
  readonly file: ImageFile;
  readonly driver: FormatDriver;
}

const NEW_FILE_MODE = 0o666;
const OWNERS = 0o600;

/**
 * Opens and locks the layer at `path`, or makes one, which is there when it is published.
 *
 * @throws {Error} if something else is there, or it cannot be made; the message names it
 */
export function lastingOverlay(path: string, base: Base): Overlay {
  try {
    return openOrNew(path, base);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Error(`${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function openOrNew(path: string, base: Base): Overlay {
  const file = openIfAny(path);
  if (file === undefined) return newOverlay(path, base);
  try {
    refuseOther(file, base);
    lockImage(file, "write");
    return { file };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function openIfAny(path: string): ImageFile | undefined {
  try {
    const { file, readOnly } = openImageFile(path, { readOnly: false });
    if (!readOnly) return file;
    file[Symbol.dispose]();
  } catch (error) {
    if (error instanceof SystemError && error.errno === ENOENT) return undefined;
    throw error;
  }
  throw new Error(`${path} is write-protected`);
}

/** @throws {Error} unless the file is a layer over `base` */
function refuseOther(file: ImageFile, base: Base): void {
  const { path } = file;
  if (file.isSameAs(base.file)) throw new Error(`${path} is the image itself`);
  if (!isMarkedAs(qcow, file) || versionOf(qcow, file) !== qcow) {
    throw new Error(`${path} is there, and is no QCOW image`);
  }
  const backing = qcow.info?.(file).backing;
  if (backing === undefined) throw new Error(`${path} is there, and has no backing file`);
  const related = parseRelatedName(backing.name);
  const below = related.path.startsWith("/") ? related.path : `${folderOf(path)}/${related.path}`;
  const status = fileStatusIfAny(below);
  if (status === undefined || identityOf(status) !== base.file.identity) {
    throw new Error(`${path} is there, and is an overlay of ${below}`);
  }
  const format = backing.format ?? related.format;
  if (format !== undefined && findRecordedDriver(format) === base.driver) return;
  throw new Error(`${path} is there, and takes the format of the image for '${format ?? "any"}'`);
}

function newOverlay(path: string, { file: base, driver }: Base): Overlay {
  refuseDanglingLink(path);
  const { kind, mode } = base.status;
  // Who may not read the image does not get to see it changed.
  const allowed = kind === "file" ? mode & NEW_FILE_MODE | OWNERS : OWNERS;
  const created = new NewFile(path, allowed);
  const file = new ImageFile(created.fd, path);
  lockImage(file, "write");
  const name = nameFor(base.path, path);
  const backing = { name, format: recordedName(driver) };
  return {
    file,
    cover: ({ sizeBytes }) => createQcow(file, { sizeBytes, backing }),
    publish: () => publish(created),
  };
}

/** Where a link leads to nothing, whoever made it would choose what is made, and where. */
function refuseDanglingLink(path: string): void {
  if (linkStatusIfAny(path)?.kind !== "link") return;
  throw new Error(`${path} is a symbolic link to ${readLink(path)}, which is not there`);
}

/** @throws {Error} if something has got its name meanwhile, or it cannot be made durable */
function publish(created: NewFile): void {
  try {
    created.publish();
  } catch (error) {
    created[Symbol.dispose]();
    throw new Error(`${created.path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** By what name a layer at `path` finds the image: a relative one if both may be moved together. */
function nameFor(image: string, path: string): string {
  if (realPath(folderOf(image)) !== realPath(folderOf(path))) return image;
  const name = baseName(image);
  // What has a colon would be taken for the name of a protocol.
  return name.includes(":") ? `./${name}` : name;
}
