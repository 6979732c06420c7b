/**
 * Files that nobody will ever want back after a crash of the machine: nothing in them has to be durable.
 * What is written to one need not outlive the process, either, in whatever order it is, unless another
 * one is to take its place.
 *
 * @module
 */
import { type Fd, type LentFd, openFileStatus } from "../sys/files.ts";
import { ImageFile } from "./image_file.ts";

export interface TemporaryOptions {
  /** Whether another process may go on with it. */
  readonly outlivesProcess?: boolean;
}

export class TemporaryFile extends ImageFile {
  override readonly isTemporary: boolean;
  override readonly isVolatile = true;
  /** What may be stored of it, in bytes. */
  readonly limitBytes: number;
  /** So much can be stored for sure before it has to be looked how much there is. */
  #roomBytes = 0;

  constructor(
    descriptor: Fd | LentFd,
    path: string,
    limitBytes: number,
    { outlivesProcess = false }: TemporaryOptions = {},
  ) {
    super(descriptor, path);
    this.limitBytes = limitBytes;
    this.isTemporary = !outlivesProcess;
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

  /** Nothing is left to be synced, ever. */
  override takeUnsynced(): boolean {
    return false;
  }

  override sync(): void {}
}
