/**
 * The L1 table: where the L2 tables are.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { Header } from "./header_types.ts";
import { L2_COPIED_HIGH, OFFSET_MASK_HIGH, OFFSET_MASK_LOW, TABLE_ENTRY_BYTES } from "./layout.ts";

/** So many entries are looked at for one answer, which may be asked for thousands of times. */
const MAX_LOOKAHEAD = 1024;

/** What an entry says of where its table is: an offset in the file, 0 for none. */
export type OffsetOf = (view: DataView, position: number) => number;

/**
 * The entries that describe the disk, up to 32 MiB of them, read when the image is opened. Whether a
 * table lies in the file, and at a cluster boundary, is for whoever reads the table to see: an image
 * with one bad pointer is readable elsewhere.
 */
export class L1Table {
  #entries: number;
  #hostOffset: number;
  #view: DataView;
  #words: Uint32Array;
  readonly #offsetOf: OffsetOf;

  /** @throws {SystemError} if the file cannot be read */
  constructor(
    file: ImageFile,
    { l1Offset, l1Entries }: Pick<Header, "l1Offset" | "l1Entries">,
    offsetOf: OffsetOf,
  ) {
    const buffer = new IoBuffer(l1Entries * TABLE_ENTRY_BYTES);
    file.read(buffer, 0, l1Offset, buffer.size);
    this.#entries = l1Entries;
    this.#hostOffset = l1Offset;
    this.#view = buffer.view;
    this.#words = new Uint32Array(buffer.bytes.buffer);
    this.#offsetOf = offsetOf;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Where it starts in the file. */
  get hostOffset(): number {
    return this.#hostOffset;
  }

  /** All of them as they are in the file, big-endian, with the bits that are no part of the offset. */
  get view(): DataView {
    return this.#view;
  }

  /** Goes by the entries of `other` from now on. */
  take(other: L1Table): void {
    this.#entries = other.#entries;
    this.#hostOffset = other.#hostOffset;
    this.#view = other.#view;
    this.#words = other.#words;
  }

  /** Goes by other entries from now on: `entries` of them, in `buffer`, which lie at `hostOffset`. */
  replace(hostOffset: number, buffer: IoBuffer, entries: number): void {
    this.#entries = entries;
    this.#hostOffset = hostOffset;
    this.#view = buffer.view;
    this.#words = new Uint32Array(buffer.bytes.buffer, buffer.bytes.byteOffset);
  }

  /** Where L2 table number `index` is; 0 if there is none. */
  tableOffset(index: number): number {
    return index < this.#entries ? this.#offsetOf(this.#view, index * TABLE_ENTRY_BYTES) : 0;
  }

  /** Whether nobody else uses L2 table number `index`. */
  isOwn(index: number): boolean {
    return (this.#view.getUint32(index * TABLE_ENTRY_BYTES) & L2_COPIED_HIGH) !== 0;
  }

  /** Says where L2 table number `index` is, which nobody else uses. */
  setOwn(index: number, hostOffset: number): void {
    const at = index * TABLE_ENTRY_BYTES;
    this.#view.setUint32(at, Math.floor(hostOffset / 2 ** 32) | L2_COPIED_HIGH);
    this.#view.setUint32(at + 4, hostOffset >>> 0);
  }

  /**
   * The first L2 table from number `index` on, or a number up to which there is none; `end` if there is
   * none before that.
   */
  nextTable(index: number, end: number): number {
    const words = this.#words;
    const last = Math.min(end, this.#entries, index + MAX_LOOKAHEAD);
    for (let next = index; next < last; next++) {
      const isEmpty = words[2 * next] === 0 && words[2 * next + 1] === 0;
      if (!isEmpty && this.tableOffset(next) !== 0) return next;
    }
    return last < this.#entries ? last : end;
  }
}

/** Bits 9-63 of the entry at `position` of a refcount table, as an offset in the file: no flags are above. */
export function blockOffsetInEntry(view: DataView, position: number): number {
  const low = (view.getUint32(position + 4) & OFFSET_MASK_LOW) >>> 0;
  return view.getUint32(position) * 2 ** 32 + low;
}

/** Bits 9-55 of the table entry at `position`, as an offset in the file. */
export function offsetInEntry(view: DataView, position: number): number {
  const high = view.getUint32(position) & OFFSET_MASK_HIGH;
  const low = (view.getUint32(position + 4) & OFFSET_MASK_LOW) >>> 0;
  return high * 2 ** 32 + low;
}
