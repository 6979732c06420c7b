/**
 * What a thread decompresses with: the same for all images of a chain, so that many of them take no
 * more memory than one.
 *
 * @module
 */
import { createDecompressor } from "../codec/create.ts";
import type { Decompressor } from "../codec/decompressor.ts";
import type { CompressionMethod } from "../image/decoding.ts";
import { IoBuffer } from "../sys/memory.ts";

const NONE = -1;

/** Room for one piece that has no place in the cache of its image. */
export class SparePiece {
  #buffer = new IoBuffer(0);
  /** The cache that it belongs to, and its key there. */
  #owner: object | undefined = undefined;
  #key = NONE;

  /** Where to put a piece, in place of the one that was there. */
  take(pieceBytes: number): Uint8Array {
    this.#owner = undefined;
    if (this.#buffer.size < pieceBytes) this.#buffer = new IoBuffer(pieceBytes);
    return this.#buffer.bytes.subarray(0, pieceBytes);
  }

  /** Says what has been put there; returns its address. */
  keep(owner: object, key: number): number {
    this.#owner = owner;
    this.#key = key;
    return this.#buffer.address;
  }

  has(owner: object, key: number): boolean {
    return this.#owner === owner && this.#key === key;
  }

  /** Address of a piece that was kept, good until the next one is taken; -1 if that is not there. */
  find(owner: object, key: number): number {
    return this.has(owner, key) ? this.#buffer.address : NONE;
  }

  clear(): void {
    this.#owner = undefined;
    this.#buffer = new IoBuffer(0);
  }
}

/** Used for one piece at a time. */
export class Workbench implements Disposable {
  readonly spare = new SparePiece();
  #input = new IoBuffer(0);
  readonly #decompressors = new Map<CompressionMethod, Decompressor>();

  /** Room for a piece as it is stored: at least so many bytes, good until the next call. */
  input(storedBytes: number): IoBuffer {
    if (this.#input.size < storedBytes) {
      this.#input = new IoBuffer(2 ** Math.ceil(Math.log2(storedBytes)));
    }
    return this.#input;
  }

  decompressor(method: CompressionMethod): Decompressor {
    const known = this.#decompressors.get(method);
    if (known !== undefined) return known;
    const created = createDecompressor(method);
    this.#decompressors.set(method, created);
    return created;
  }

  /** Gives the memory back of what can be read again. */
  clear(): void {
    this.spare.clear();
    this.#input = new IoBuffer(0);
  }

  [Symbol.dispose](): void {
    for (const decompressor of this.#decompressors.values()) decompressor[Symbol.dispose]();
  }
}
