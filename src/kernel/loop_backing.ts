/**
 * The backing files of loop devices.
 *
 * @module
 */
import { EACCES, EINVAL, EROFS, SystemError } from "../sys/errno.ts";
import {
  type Fd,
  type LentFd,
  O_DIRECT,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openFile,
  openFileStatus,
} from "../sys/files.ts";
import { reopenFile } from "../sys/reopen.ts";
import { refuseStaleNode } from "./device_nodes.ts";

/** A backing file, open as the device is to be used. */
export class Backing implements Disposable {
  constructor(readonly fd: Fd | LentFd, readonly readOnly: boolean) {}

  [Symbol.dispose](): void {
    this.fd[Symbol.dispose]();
  }
}

/** How a backing file is to be opened: see {@link LoopAttachment}. */
interface Wanted {
  readonly backingPath: string;
  readonly backing?: LentFd;
  readonly readOnly: boolean;
  readonly directIo: "no" | "preferred" | "required";
}

/**
 * Opens a backing file, unless it is open: for reading only, where it is write-protected.
 *
 * @throws {SystemError} as open(2); EINVAL for what a loop device cannot have
 * @throws {Error} for a node that is not its device's any more
 */
export function openBacking({ backing, backingPath, readOnly, directIo }: Wanted): Backing {
  if (backing !== undefined) return new Backing(backing, readOnly);
  const flags = directIo === "required" ? O_DIRECT : 0;
  using handle = openFile(backingPath, O_PATH);
  refuseUnseekable(handle, backingPath);
  refuseStaleNode(handle);
  const open = (access: number): Fd => reopenFile(handle.number, backingPath, access | flags);
  if (!readOnly) {
    try {
      return new Backing(open(O_RDWR), false);
    } catch (error) {
      if (!isWriteProtection(error)) throw error;
    }
  }
  return new Backing(open(O_RDONLY), true);
}

/** What must not even be opened, because that could wait or change something: the kernel's words. */
function refuseUnseekable(handle: Fd, path: string): void {
  const { kind } = openFileStatus(handle.number);
  if (kind !== "fifo" && kind !== "character") return;
  throw new SystemError("ioctl LOOP_CONFIGURE", EINVAL, path);
}

function isWriteProtection(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === EROFS || error.errno === EACCES);
}
