/**
 * Opening the files that images lie in, whatever their format.
 *
 * @module
 */
import { refuseStaleNode } from "../kernel/device_nodes.ts";
import { ImageFile } from "../storage/image_file.ts";
import { EACCES, EROFS, SystemError } from "../sys/errno.ts";
import {
  type FileStatus,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openFile,
  openFileStatus,
  readTextIfAny,
} from "../sys/files.ts";
import { reopenFile } from "../sys/reopen.ts";
import { ignoreFileSizeSignal } from "../sys/signals.ts";
import { refuseKind } from "./permission.ts";

/**
 * Opens the file or block device an image lies in; for reading only where it is write-protected.
 *
 * @throws {SystemError} as open(2); EISDIR for a folder, ENOTBLK for other things without content
 * @throws {Error} for a node that is not its device's any more
 */
export function openImageFile(
  path: string,
  wanted: { readonly readOnly: boolean },
): { file: ImageFile; readOnly: boolean } {
  using handle = openFile(path, O_PATH);
  const status = openFileStatus(handle.number);
  refuseKind(status, path);
  refuseStaleNode(handle);
  if (!wanted.readOnly && !isReadOnlyDevice(status)) {
    try {
      const file = reopenFile(handle.number, path, O_RDWR);
      return { file: new ImageFile(file, path), readOnly: false };
    } catch (error) {
      if (!isWriteProtection(error)) throw error;
    }
  }
  const file = reopenFile(handle.number, path, O_RDONLY);
  return { file: new ImageFile(file, path), readOnly: true };
}

/**
 * Opens it for a command to write to; a write that the user's limit on files forbids fails from then on.
 *
 * @throws {Error} if it is write-protected
 * @throws {SystemError} as {@link openImageFile}
 */
export function openToWrite(path: string): ImageFile {
  const { file, readOnly } = openImageFile(path, { readOnly: false });
  ignoreFileSizeSignal();
  if (!readOnly) return file;
  const isDevice = file.status.kind === "block";
  file[Symbol.dispose]();
  throw new Error(isDevice ? "the device is read-only" : "the file is write-protected");
}

/**
 * The same file once more, open for reading only; `file` is closed.
 *
 * @throws {SystemError} as open(2)
 */
export function reopenReadOnly(file: ImageFile): ImageFile {
  using old = file;
  return new ImageFile(reopenFile(old.fd, old.path, O_RDONLY), old.path);
}

/** A block device that is read-only can be opened for writing all the same; the writes then fail. */
function isReadOnlyDevice({ kind, specialMajor, specialMinor }: FileStatus): boolean {
  if (kind !== "block") return false;
  return readTextIfAny(`/sys/dev/block/${specialMajor}:${specialMinor}/ro`) === "1";
}

function isWriteProtection(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === EROFS || error.errno === EACCES);
}
