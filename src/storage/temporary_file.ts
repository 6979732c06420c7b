/**
 * Files that nobody will ever want back: what is written to them need not outlive the process, so that
 * nothing has to be durable, in whatever order.
 *
 * @module
 */
import { type Fd, type LentFd, openFileStatus } from "../sys/files.ts";
import { ImageFile } from "./image_file.ts";

export class TemporaryFile extends ImageFile {
  override readonly isTemporary = true;
  /** What may be stored of it, in bytes. */
  readonly limitBytes: number;
  /** So much can be stored for sure before it has to be looked how much there is. */
  #roomBytes = 0;

  constructor(descriptor: Fd | LentFd, path: string, limitBytes: number) {
    super(descriptor, path);
    this.limitBytes = limitBytes;
  }

  /**
   * What is written over takes no room, and what is freed gives some: how much there is, only the file
   * system knows. It is asked when it could have become too little.
   */
  override takeRoom(lengthBytes: number): boolean {
    if (this.#roomBytes < lengthBytes) {
      this.#roomBytes = this.limitBytes - openFileStatus(this.fd).allocatedBytes;
    }
    if (this.#roomBytes < lengthBytes) return false;
    this.#roomBytes -= lengthBytes;
    return true;
  }

  override sync(): void {}
}
