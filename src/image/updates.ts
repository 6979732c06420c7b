/**
 * What has to be written of tables that have been changed, as data: taken at one moment, written level
 * by level, each level made durable before the next.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { IoBuffer } from "../sys/memory.ts";

/** In which order updates reach the disk. */
export const Level = {
  /** How often each part of a file is used, and tables that nothing refers to yet. */
  Counts: 0,
  /** Where the counts are. Of an image with a log, what is in it of the next level. */
  CountTables: 1,
  /** Where guest bytes are. */
  Tables: 2,
} as const;

export type Level = typeof Level[keyof typeof Level];

export const LEVELS = 3;

const FIRST_BYTES = 64 * 1024;

/** One write of metadata. */
export interface Update {
  readonly file: ImageFile;
  readonly hostOffset: number;
  /** Where its bytes are among those of all updates. */
  readonly position: number;
  lengthBytes: number;
}

/** The updates of one round; used again for the next one. */
export class Updates {
  readonly #levels: Update[][] = Array.from({ length: LEVELS }, () => []);
  #buffer = new IoBuffer(FIRST_BYTES);
  #endBytes = 0;

  /** Takes a copy of what is to be written to `file` at `hostOffset`. */
  add(level: Level, file: ImageFile, hostOffset: number, bytes: Uint8Array): void {
    const position = this.#endBytes;
    this.#makeRoom(bytes.length);
    this.#buffer.bytes.set(bytes, position);
    this.#endBytes += bytes.length;
    const updates = this.#levels[level];
    const last = updates?.at(-1);
    if (last !== undefined && goesOn(last, { file, hostOffset, position })) {
      last.lengthBytes += bytes.length;
    } else updates?.push({ file, hostOffset, position, lengthBytes: bytes.length });
  }

  #makeRoom(lengthBytes: number): void {
    const wanted = this.#endBytes + lengthBytes;
    if (wanted <= this.#buffer.size) return;
    const larger = new IoBuffer(2 ** Math.ceil(Math.log2(wanted)));
    larger.bytes.set(this.#buffer.bytes.subarray(0, this.#endBytes));
    this.#buffer = larger;
  }

  /** The writes of one level. */
  ofLevel(level: Level): readonly Update[] {
    return this.#levels[level] ?? [];
  }

  /**
   * Makes all writes of a level.
   *
   * @throws {SystemError} as {@link ImageFile.write}
   */
  write(level: Level): void {
    for (const { file, hostOffset, position, lengthBytes } of this.ofLevel(level)) {
      file.write(this.#buffer, position, hostOffset, lengthBytes);
    }
  }

  clear(): void {
    for (const updates of this.#levels) updates.length = 0;
    this.#endBytes = 0;
    if (this.#buffer.size > FIRST_BYTES) this.#buffer = new IoBuffer(FIRST_BYTES);
  }
}

function goesOn(last: Update, next: Pick<Update, "file" | "hostOffset" | "position">): boolean {
  return last.file === next.file && last.hostOffset + last.lengthBytes === next.hostOffset &&
    last.position + last.lengthBytes === next.position;
}
