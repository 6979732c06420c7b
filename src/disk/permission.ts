/**
 * Which files an image may name. An image from somebody else could name any file of this machine,
 * and show it to whoever reads the disk: it gets what lies below its own folder, and what the user
 * allows. What the user's own images name, the user has chosen.
 *
 * @module
 */
import { EISDIR, SystemError } from "../sys/errno.ts";
import {
  Fd,
  type FileStatus,
  fileStatusIfAny,
  O_PATH,
  O_RDONLY,
  openFile,
  openFileStatus,
  readTextFile,
} from "../sys/files.ts";
import { folderOf, readLink } from "../sys/paths.ts";
import { libc } from "../sys/libc.ts";
import { ImageFile } from "../storage/image_file.ts";

const ENOTBLK = 15;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** Who names a file, and what the user has said to that. */
export interface Naming {
  readonly by: ImageFile;
  /** Folder a relative name starts from; undefined if the name is absolute. */
  readonly folder: string | undefined;
  /** Files, and folders with all below them, that any image may name: paths without links. */
  readonly allowed: readonly string[];
}

/**
 * Opens a file that an image names, for reading. The file that is checked is the one that is opened,
 * whatever is renamed meanwhile; nothing but files and block devices is ever opened.
 *
 * @throws {SystemError} as open(2); EISDIR for a folder, ENOTBLK for other things without content
 * @throws {Error} if the image may not name it; the message says which option allows it
 */
export function openNamedFile(path: string, naming: Naming): ImageFile {
  using handle = openFile(path, O_PATH);
  refuseKind(openFileStatus(handle.number), path);
  const distrust = reasonForDistrust(naming);
  if (distrust !== undefined) refusePlace(placeOf(handle), naming, distrust);
  return new ImageFile(reopen(handle, path), path);
}

/**
 * @throws {SystemError} EISDIR for a folder, ENOTBLK for other things without content
 */
export function refuseKind({ kind }: FileStatus, path: string): void {
  if (kind === "directory") throw new SystemError("open", EISDIR, path);
  if (kind !== "file" && kind !== "block") throw new SystemError("open", ENOTBLK, path);
}

function reopen(handle: Fd, path: string): Fd {
  try {
    return openFile(`/proc/self/fd/${handle.number}`, O_RDONLY);
  } catch (error) {
    if (error instanceof SystemError) throw new SystemError("open", error.errno, path);
    throw error;
  }
}

/**
 * Path of an open file, without links. A file of another mount namespace, which /proc/PID/root leads
 * to, has a path that means something else here.
 *
 * @throws {Error} if it is not in this process's file system
 */
function placeOf(file: Fd): string {
  const mount = mountOf(file);
  // below a chroot, the mount that holds the root is not in the list
  using root = openFile("/", O_PATH);
  const mounts = readTextFile("/proc/self/mountinfo").split("\n");
  const isHere = mount === mountOf(root) || mounts.some((line) => line.startsWith(`${mount} `));
  if (!isHere) throw new Error("not allowed: the file is in another mount namespace");
  return readLink(`/proc/self/fd/${file.number}`);
}

/** Identifier of the mount that an open file was found by (proc(5), fdinfo). */
function mountOf({ number }: Fd): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(readTextFile(`/proc/self/fdinfo/${number}`))?.[1];
}

/**
 * Why the image may not name any file: undefined if it is the user's own, a file of the effective
 * user, root not excepted, that nobody else may write to. The folder matters where it decides which
 * file a name means: somebody else's could hold links to anything.
 */
function reasonForDistrust({ by, folder }: Naming): string | undefined {
  const { kind, uid, mode } = by.status;
  // who owns its node says nothing of what it holds
  if (kind !== "file") return "the image is on a device";
  if (uid !== libc().geteuid()) return "the image is not your own";
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return "others may write to the image";
  if (folder === undefined || isSafeFolder(folder)) return undefined;
  return "the image's folder is not your own";
}

function isSafeFolder(path: string): boolean {
  const status = fileStatusIfAny(path);
  if (status === undefined) return false;
  const { uid, mode } = status;
  const isKept = (mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0;
  return isKept && (uid === 0 || uid === libc().geteuid());
}

/** @param place path of the open file, without links, as the kernel knows it */
function refusePlace(place: string, { by, allowed }: Naming, distrust: string): void {
  const own = ownFolder(by);
  if ([...own, ...allowed].some((folder) => isBelow(place, folder))) return;
  const outside = own.length > 0 ? `, and ${place} is not below its folder` : "";
  throw new Error(
    `not allowed: ${distrust}${outside} (--allow-backing ${place} allows it)`,
  );
}

/** A device lies in /dev only for the kernel's sake, and all files lie below the root. */
function ownFolder(file: ImageFile): readonly string[] {
  const folder = folderOf(readLink(`/proc/self/fd/${file.fd}`));
  return file.status.kind !== "file" || folder === "/" ? [] : [folder];
}

function isBelow(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
