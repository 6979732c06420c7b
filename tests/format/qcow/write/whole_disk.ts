/**
 * All of an image's disk, read again and again into the same memory.
 *
 * @module
 */
import { openImage } from "../../../../src/disk/open.ts";
import { ReadRequest } from "../../../../src/disk/reader.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { IoBuffer } from "../../../../src/sys/memory.ts";
import type { Original } from "./originals.ts";

const REQUEST = {
  format: "QCOW",
  readOnly: true,
  offsetBytes: 0,
  sizeLimitBytes: 0,
  backingFormat: "RAW",
  // To make room for more takes longer than to read so little.
  metadataCacheBytes: 32 * 1024,
};

/** What a disk has, with zeros behind its end. */
export interface Disk {
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
}

export class WholeDisk {
  readonly #original: Original;
  readonly #target: IoBuffer;
  readonly #request = new ReadRequest();

  /** @param sizeBytes of the disk in the end; what is behind it is not read */
  constructor(original: Original, sizeBytes: number) {
    this.#original = original;
    this.#target = new IoBuffer(sizeBytes);
  }

  /** Opens the image, and reads the disk; the bytes are valid until it is read again. */
  read(): Disk {
    const { path, keys } = this.#original;
    const file = new ImageFile(openFile(path, O_RDONLY), path);
    using access = openImage(file, REQUEST, keys === undefined ? {} : { keys });
    const { sizeBytes } = access;
    const { bytes } = this.#target;
    const lengthBytes = Math.min(sizeBytes, bytes.length);
    bytes.fill(0, lengthBytes);
    if (!access.read(this.#request.ask(0, lengthBytes).into(this.#target, 0))) {
      throw new Error("a read that may wait was blocked");
    }
    return { bytes, sizeBytes };
  }
}
