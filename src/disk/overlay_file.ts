/**
 * Where a layer that is thrown away is kept: in memory, or in a file without a name.
 *
 * @module
 */
import { memoryFile } from "../kernel/memory_file.ts";
import { TemporaryFile } from "../storage/temporary_file.ts";
import { reasonOf } from "../sys/reason.ts";
import { EISDIR, ENOENT, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { type Fd, O_CREAT, O_EXCL, O_RDWR, O_TMPFILE, openFile, removeFile } from "../sys/files.ts";
import type { TemporaryOverlay } from "./request.ts";

/** File systems, and kernels, that have no files without a name. */
const UNSUPPORTED: readonly number[] = [EOPNOTSUPP, EISDIR, ENOENT];

/**
 * Makes the file.
 *
 * @throws {Error} if it cannot be made: why, and where
 */
export function temporaryFile({ folder, limitBytes = Infinity }: TemporaryOverlay): TemporaryFile {
  const name = `the overlay in ${folder ?? "memory"}`;
  try {
    const fd = folder === undefined
      ? memoryFile("tslosetup overlay", new Uint8Array(0))
      : unnamedFile(folder);
    return new TemporaryFile(fd, name, limitBytes);
  } catch (error) {
    throw new Error(`${name}: ${reasonOf(error)}`, { cause: error });
  }
}

function unnamedFile(folder: string): Fd {
  try {
    return openFile(folder, O_RDWR | O_TMPFILE | O_EXCL);
  } catch (error) {
    if (!(error instanceof SystemError && UNSUPPORTED.includes(error.errno))) throw error;
    return unlinkedFile(folder);
  }
}

function unlinkedFile(folder: string): Fd {
  const path = `${folder}/.tslosetup-${crypto.randomUUID()}`;
  const fd = openFile(path, O_RDWR | O_CREAT | O_EXCL);
  removeFile(path);
  return fd;
}
