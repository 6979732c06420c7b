/**
 * An image's file as it is once its log has been replayed, for who reads metadata.
 *
 * @module
 */
import { ImageFile } from "../../../storage/image_file.ts";
import { LentFd } from "../../../sys/files.ts";
import type { IoBuffer } from "../../../sys/memory.ts";
import type { Replay } from "./replay.ts";

export class ReplayedFile extends ImageFile {
  readonly #replay: Replay;

  /** @param file stays the caller's to close */
  constructor(file: ImageFile, replay: Replay) {
    super(new LentFd(file.fd), file.path, { sizeBytes: file.sizeBytes });
    this.#replay = replay;
  }

  override read(target: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void {
    super.read(target, position, hostOffset, lengthBytes);
    this.#replay.patch(target, position, hostOffset, lengthBytes);
  }

  override readAtHand(
    target: IoBuffer,
    position: number,
    hostOffset: number,
    lengthBytes: number,
  ): number {
    const count = super.readAtHand(target, position, hostOffset, lengthBytes);
    this.#replay.patch(target, position, hostOffset, count);
    return count;
  }
}
