/**
 * An open redolog: its catalog, and the bitmaps of its extents.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { BOCHS } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import { Bitmaps } from "./bitmaps.ts";
import type { Header } from "./header.ts";
import { ENTRY_BYTES, ENTRY_NONE, SECTOR_BYTES } from "./layout.ts";

/** Of the memory for metadata, one half is the catalog's, the other one the bitmaps'. */
const SHARES = 2;

export class BochsImage implements Image {
  readonly sizeBytes: number;
  readonly #header: Header;
  readonly #catalog: FlatTable;
  readonly #bitmaps: Bitmaps;
  readonly #stored: StoredBlocks;
  /** Where the first stored extent is. */
  readonly #extentsOffset: number;

  /** @param cacheBytes upper bound of the memory for metadata */
  constructor(file: ImageFile, header: Header, cacheBytes: number) {
    const { catalogOffset: hostOffset, catalogEntries: entries } = header;
    this.sizeBytes = header.sizeBytes;
    this.#header = header;
    this.#extentsOffset = hostOffset + entries * ENTRY_BYTES;
    const share = cacheBytes / SHARES;
    this.#catalog = new FlatTable(file, { hostOffset, entries, entryBytes: ENTRY_BYTES }, share);
    this.#bitmaps = new Bitmaps(file, header, share);
    this.#stored = new StoredBlocks(file, BOCHS.name);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { extentBytes, strideBytes } = this.#header;
    const extent = Math.floor(guestOffset / extentBytes);
    const position = this.#catalog.find(extent, mapping);
    if (position < 0) return;
    const inExtent = guestOffset % extentBytes;
    const entry = this.#catalog.view.getUint32(position, true);
    if (entry === ENTRY_NONE) {
      const wanted = Math.ceil((inExtent + lengthBytes) / extentBytes);
      const count = this.#countMissing(position, Math.min(wanted, this.#catalog.inSlice(extent)));
      return mapping.setZero(Math.min(count * extentBytes - inExtent, lengthBytes));
    }
    const runBytes = Math.min(lengthBytes, extentBytes - inExtent);
    this.#mapSectors(this.#extentsOffset + entry * strideBytes, guestOffset, runBytes, mapping);
  }

  /** How many extents from the entry at `position` on are not stored. */
  #countMissing(position: number, extents: number): number {
    const { view } = this.#catalog;
    let count = 1;
    for (; count < extents; count++) {
      if (view.getUint32(position + count * ENTRY_BYTES, true) !== ENTRY_NONE) break;
    }
    return count;
  }

  /** Sectors of the extent at `extentOffset` of the file, as far as all are stored, or none is. */
  #mapSectors(
    extentOffset: number,
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const { extentBytes, sectorsStart } = this.#header;
    // Of an extent that is not in the file, nothing is known, not even that it has zeros.
    this.#stored.setStored(extentOffset, extentOffset, lengthBytes, mapping);
    const extent = Math.floor(guestOffset / extentBytes);
    const position = this.#bitmaps.find(extent, extentOffset, mapping);
    if (position < 0) return;
    const inExtent = guestOffset % extentBytes;
    const first = Math.floor(inExtent / SECTOR_BYTES);
    const count = Math.ceil((inExtent + lengthBytes) / SECTOR_BYTES) - first;
    const run = this.#bitmaps.runLength(position, first, count);
    const runBytes = Math.min((first + run) * SECTOR_BYTES - inExtent, lengthBytes);
    if (!this.#bitmaps.isSet(position, first)) return mapping.setZero(runBytes);
    const hostOffset = extentOffset + sectorsStart + inExtent;
    this.#stored.setStored(extentOffset, hostOffset, runBytes, mapping);
  }

  dropCaches(): void {
    this.#catalog.clear();
    this.#bitmaps.clear();
  }

  [Symbol.dispose](): void {}
}
