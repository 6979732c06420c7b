/**
 * An open image: where each compressed block is.
 *
 * @module
 */
import { CompressionMethod, type Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { damaged, type Header } from "./header.ts";
import { HEADER, MAX_EXPANSION, OFFSET_BYTES } from "./layout.ts";

/** What stands for an offset that has to be read first. */
const BLOCKED = -1;

export class CloopImage implements Image {
  readonly sizeBytes: number;
  readonly packing: Packing;
  readonly #file: ImageFile;
  readonly #blockBytes: number;
  readonly #table: FlatTable;

  /** @param cacheBytes upper bound of the memory for offsets */
  constructor(file: ImageFile, { sizeBytes, blockBytes, offsets }: Header, cacheBytes: number) {
    this.sizeBytes = sizeBytes;
    this.packing = { maxPieceBytes: blockBytes, methods: [CompressionMethod.Zlib] };
    this.#file = file;
    this.#blockBytes = blockBytes;
    const shape = { hostOffset: HEADER.sizeBytes, entries: offsets, entryBytes: OFFSET_BYTES };
    this.#table = new FlatTable(file, shape, cacheBytes);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const block = Math.floor(guestOffset / this.#blockBytes);
    const start = this.#offset(block, mapping);
    const end = start === BLOCKED ? BLOCKED : this.#offset(block + 1, mapping);
    if (end === BLOCKED) return;
    if (end <= start || end - start > MAX_EXPANSION * this.#blockBytes) {
      this.#refuse(block, `cannot be from 0x${start.toString(16)} to 0x${end.toString(16)}`);
    }
    if (end > this.#file.sizeBytes) this.#refuse(block, "is not in the file");
    const inBlock = guestOffset % this.#blockBytes;
    const runBytes = Math.min(lengthBytes, this.#blockBytes - inBlock);
    mapping.method = CompressionMethod.Zlib;
    mapping.setPacked(this.#file, start, end - start);
    mapping.setPiece(guestOffset - inBlock, this.#blockBytes, runBytes);
  }

  /** Where block number `index` begins in the file, which is where the one before it ends. */
  #offset(index: number, mapping: Mapping): number {
    const position = this.#table.find(index, mapping);
    if (position < 0) return BLOCKED;
    const { view } = this.#table;
    return view.getUint32(position) * 2 ** 32 + view.getUint32(position + 4);
  }

  #refuse(block: number, message: string): never {
    const hostOffset = HEADER.sizeBytes + block * OFFSET_BYTES;
    throw damaged(this.#file.path, `block ${block} ${message}`, hostOffset);
  }

  dropCaches(): void {
    this.#table.clear();
  }

  [Symbol.dispose](): void {}
}
