/**
 * Image files opened for a test.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { FormatDriver, Image, OpenOptions } from "../../src/image/driver.ts";
import { ImageAccess } from "../../src/disk/image_access.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { Extent, Mapping } from "../../src/image/mapping.ts";
import { O_RDONLY, O_RDWR, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { readDisk } from "../support/disk.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** An open image with everything that reads it; disposing closes the file, too. */
export class OpenedImage implements Disposable {
  readonly file: ImageFile;
  readonly image: Image;
  readonly access: ImageAccess;

  constructor(path: string, driver: FormatDriver, options: OpenOptions = { readOnly: true }) {
    this.file = openImageFile(path, options);
    try {
      this.image = driver.open(this.file, options);
    } catch (error) {
      this.file[Symbol.dispose]();
      throw error;
    }
    const limits = { offsetBytes: 0, sizeLimitBytes: 0 };
    this.access = new ImageAccess(this.image, [this.file], limits);
  }

  /** Guest bytes, read in one request. */
  read(offset: number, lengthBytes: number): Uint8Array {
    return readDisk(this.access, offset, lengthBytes);
  }

  /** All answers `map` gives for a range, asked one after the other. */
  *extents(offset: number, lengthBytes: number): Generator<Run> {
    const end = offset + lengthBytes;
    for (let start = offset; start < end;) {
      const mapping = new Mapping();
      this.image.map(start, end - start, mapping);
      yield { start, mapping };
      if (mapping.kind === Extent.Blocked) throw new Error("blocked");
      if (mapping.lengthBytes < 1 || mapping.lengthBytes > end - start) {
        throw new Error(`an answer of ${mapping.lengthBytes} bytes, ${end - start} asked for`);
      }
      start += mapping.lengthBytes;
    }
  }

  [Symbol.dispose](): void {
    this.access[Symbol.dispose]();
  }
}

/** An answer of `map` and the guest offset it was asked for. */
export interface Run {
  readonly start: number;
  readonly mapping: Mapping;
}

export function openImageFile(path: string, options: OpenOptions = { readOnly: true }): ImageFile {
  return new ImageFile(openFile(path, options.readOnly ? O_RDONLY : O_RDWR), path);
}

/** A range of a file, read with Deno's own functions. */
export function readRange(path: string, offset: number, lengthBytes: number): Uint8Array {
  using file = Deno.openSync(path);
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(lengthBytes);
  for (let done = 0; done < lengthBytes;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes;
}

/** Whether two arrays hold the same bytes; far cheaper than `assertEquals`. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** @throws {Error} if a range of the disk is not what the raw image at `rawPath` has there */
export function checkRange(
  opened: OpenedImage,
  rawPath: string,
  [offset, lengthBytes]: readonly [offset: number, lengthBytes: number],
): void {
  if (sameBytes(opened.read(offset, lengthBytes), readRange(rawPath, offset, lengthBytes))) return;
  throw new Error(`${lengthBytes} bytes at ${offset} differ`);
}
