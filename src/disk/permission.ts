/**
 * Which files an image may name. An image from somebody else could name any file of this machine,
 * and show it to whoever reads the disk: it gets what the user allows, and what lies below its own
 * folder and is no secret for those who could have chosen it. What the user's own images name, the
 * user has chosen; but for files that are to be written to: of an image that was downloaded, somebody
 * else has chosen them, and with them whatever is overwritten.
 *
 * @module
 */
import { EISDIR, SystemError } from "../sys/errno.ts";
import {
  type Fd,
  type FileStatus,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openFile,
  openFileStatus,
  readTextFile,
} from "../sys/files.ts";
import { folderOf, readLink } from "../sys/paths.ts";
import { libc } from "../sys/libc.ts";
import { handleIn, isSameFile, reopenFile } from "../sys/reopen.ts";
import { refuseStaleNode } from "../kernel/device_nodes.ts";
import { ImageFile } from "../storage/image_file.ts";
import { canOpen, type Choosers, choosersOf, isWritableByOthers } from "./choosers.ts";

const ENOTBLK = 15;
const STICKY = 0o1000;

/** Who names a file, and what the user has said to that. */
export interface Naming {
  readonly by: ImageFile;
  /** Folder a relative name starts from; undefined if the name is absolute. */
  readonly folder: string | undefined;
  /** Files, and folders with all below them, that any image may name: paths without links. */
  readonly allowed: readonly string[];
  /** Whether it is opened for writing, too; by default it is not. */
  readonly isWritten?: boolean;
}

/** Why a file needs permission, and who could have chosen it. */
interface Distrust {
  readonly reason: string;
  readonly choosers: Choosers;
}

/**
 * Opens a file that an image names. The file that is checked is the one that is opened,
 * whatever is renamed meanwhile; nothing but files and block devices is ever opened.
 *
 * @param path the folder of a relative name, and the name
 * @throws {SystemError} as open(2); EISDIR for a folder, ENOTBLK for other things without content
 * @throws {Error} if the image may not name it; the message says which option allows it. Also for a node
 *   that is not its device's any more
 */
export function openNamedFile(path: string, naming: Naming): ImageFile {
  const { folder } = naming;
  using start = folder === undefined ? undefined : openFile(folder, O_PATH);
  using handle = start === undefined ? openFile(path, O_PATH) : handleBelow(start, path, folder);
  refuseKind(openFileStatus(handle.number), path);
  refuseStaleNode(handle);
  const distrust = distrustOf(naming, start && openFileStatus(start.number));
  if (distrust !== undefined) refusePlace(handle, naming, distrust);
  const access = naming.isWritten ? O_RDWR : O_RDONLY;
  return new ImageFile(reopenFile(handle.number, path, access), path);
}

function handleBelow(start: Fd, path: string, folder = ""): Fd {
  const name = path.slice(folder.endsWith("/") ? folder.length : folder.length + 1);
  try {
    return handleIn(name, { folder: start, followLinks: true });
  } catch (error) {
    if (error instanceof SystemError) throw new SystemError("open", error.errno, path);
    throw error;
  }
}

/**
 * @throws {SystemError} EISDIR for a folder, ENOTBLK for other things without content
 */
export function refuseKind({ kind }: FileStatus, path: string): void {
  if (kind === "directory") throw new SystemError("open", EISDIR, path);
  if (kind !== "file" && kind !== "block") throw new SystemError("open", ENOTBLK, path);
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
function distrustOf(
  { by: { status: image }, isWritten }: Naming,
  folder: FileStatus | undefined,
): Distrust | undefined {
  const foreign = folder === undefined || isSafeFolder(folder) ? [] : [folder];
  const reason = whyNotOwn(image) ??
    (foreign.length > 0 ? "the image's folder is not your own" : undefined) ??
    (isWritten ? "it would be written to" : undefined);
  return reason === undefined ? undefined : { reason, choosers: choosersOf([image, ...foreign]) };
}

function whyNotOwn(image: FileStatus): string | undefined {
  // who owns its node says nothing of what it holds
  if (image.kind !== "file") return "the image is on a device";
  if (image.uid !== libc().geteuid()) return "the image is not your own";
  return isWritableByOthers(image) ? "others may write to the image" : undefined;
}

function isSafeFolder(folder: FileStatus): boolean {
  const isKept = !isWritableByOthers(folder) || (folder.mode & STICKY) !== 0;
  return isKept && (folder.uid === 0 || folder.uid === libc().geteuid());
}

function refusePlace(handle: Fd, naming: Naming, { reason, choosers }: Distrust): void {
  const { by, allowed, isWritten = false } = naming;
  const place = placeOf(handle);
  if (allowed.some((folder) => isBelow(place, folder))) return;
  const refuse = (why: string): never => {
    throw new Error(`not allowed: ${reason}${why} (--allow-backing ${place} allows it)`);
  };
  const folder = ownFolder(by);
  if (folder === undefined) return refuse("");
  if (!isBelow(place, folder)) return refuse(`, and ${place} is not below its folder`);
  const file = openFileStatus(handle.number);
  const folders = foldersBetween(folder, place, file);
  if (canOpen(choosers, { file, folders, self: libc().geteuid(), isWritten })) return;
  refuse(`, and not all who could have named ${place} may ${isWritten ? "write to" : "read"} it`);
}

/** A device lies in /dev only for the kernel's sake, and all files lie below the root. */
function ownFolder(file: ImageFile): string | undefined {
  const folder = folderOf(readLink(`/proc/self/fd/${file.fd}`));
  return file.status.kind !== "file" || folder === "/" ? undefined : folder;
}

/**
 * Those below `folder` in which one after the other `file` lies.
 *
 * @param place of the file, without links, as the kernel knows it
 * @throws {SystemError | Error} if it does not lie there any more
 */
function foldersBetween(folder: string, place: string, file: FileStatus): FileStatus[] {
  const parts = place.slice(folder.length + 1).split("/");
  const statuses: FileStatus[] = [];
  let at = openFile(folder, O_PATH);
  try {
    for (const part of parts) {
      using above = at;
      at = handleIn(part, { folder: above, followLinks: false });
      statuses.push(openFileStatus(at.number));
    }
  } finally {
    at.close();
  }
  const found = statuses.pop();
  if (found !== undefined && isSameFile(found, file)) return statuses;
  throw new Error(`${place} has been moved meanwhile`);
}

function isBelow(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
