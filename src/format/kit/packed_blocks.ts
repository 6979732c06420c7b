/**
 * Blocks of a disk, one after the other, each of which is stored compressed.
 *
 * @module
 */
import type { CompressionMethod, Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** One block, in bytes. */
export interface PackedBlock {
  readonly hostOffset: number;
  readonly hostBytes: number;
  /** Of the disk. */
  readonly contentBytes: number;
  readonly method: CompressionMethod;
}

/** What one takes in memory. */
export const BYTES_OF_BLOCK: number = 3 * Float64Array.BYTES_PER_ELEMENT + 1;

/** What a block may take besides its content, which does not get longer: its header, its checksum. */
const MAX_EXTRA_BYTES = 4096;

/** What blocks have, by their numbers. */
export class PackedBlocks {
  readonly #hostOffsets: Float64Array;
  readonly #hostBytes: Float64Array;
  /** Where each ends in the disk. */
  readonly #ends: Float64Array;
  readonly #methods: Uint8Array;
  #count = 0;
  #maxBytes = 0;
  #areLong = false;
  /** The one that was found last. */
  #last = 0;

  /** @param most how many there will be at most */
  constructor(most: number) {
    this.#hostOffsets = new Float64Array(most);
    this.#hostBytes = new Float64Array(most);
    this.#ends = new Float64Array(most);
    this.#methods = new Uint8Array(most);
  }

  /** One more block of the disk; one without any of its bytes is none. */
  add({ hostOffset, hostBytes, contentBytes, method }: PackedBlock): void {
    if (contentBytes === 0) return;
    const block = this.#count++;
    this.#hostOffsets[block] = hostOffset;
    this.#hostBytes[block] = hostBytes;
    this.#ends[block] = this.#start(block) + contentBytes;
    this.#methods[block] = method;
    this.#maxBytes = Math.max(this.#maxBytes, contentBytes);
    if (hostBytes > 2 * contentBytes + MAX_EXTRA_BYTES) this.#areLong = true;
  }

  get count(): number {
    return this.#count;
  }

  /** What all of them have together. */
  get sizeBytes(): number {
    return this.#start(this.#count);
  }

  /** What the longest one has. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Whether some take far more bytes than they have. */
  get areLong(): boolean {
    return this.#areLong;
  }

  get methods(): readonly CompressionMethod[] {
    return [...new Set(this.#methods.subarray(0, this.#count))] as CompressionMethod[];
  }

  /** Says where `lengthBytes` from `guestOffset` on are: as {@link MappedDisk.map}. */
  map(file: ImageFile, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const block = this.#find(guestOffset);
    const start = this.#start(block);
    const end = this.#ends[block] ?? start;
    mapping.setPacked(file, this.#hostOffsets[block] ?? 0, this.#hostBytes[block] ?? 0);
    mapping.method = (this.#methods[block] ?? 0) as CompressionMethod;
    mapping.setPiece(start, end - start, Math.min(lengthBytes, end - guestOffset));
  }

  #start(block: number): number {
    return block === 0 ? 0 : this.#ends[block - 1] ?? 0;
  }

  #find(guestOffset: number): number {
    const last = this.#last;
    if (guestOffset >= this.#start(last) && guestOffset < (this.#ends[last] ?? 0)) return last;
    return this.#last = this.#search(guestOffset);
  }

  /** The first one that ends behind it. */
  #search(guestOffset: number): number {
    let first = 0;
    for (let count = this.#count; count > 0;) {
      const half = count >> 1;
      if ((this.#ends[first + half] ?? 0) > guestOffset) {
        count = half;
      } else {
        first += half + 1;
        count -= half + 1;
      }
    }
    return first;
  }
}

/** A disk of such blocks. */
export class PackedImage implements Image {
  readonly sizeBytes: number;
  readonly packing: Packing;
  readonly #file: ImageFile;
  readonly #blocks: PackedBlocks;

  constructor(file: ImageFile, blocks: PackedBlocks) {
    this.sizeBytes = blocks.sizeBytes;
    this.packing = { maxPieceBytes: Math.max(1, blocks.maxBytes), methods: blocks.methods };
    this.#file = file;
    this.#blocks = blocks;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    this.#blocks.map(this.#file, guestOffset, lengthBytes, mapping);
  }

  [Symbol.dispose](): void {}
}
