/**
 * An open dynamic or differencing image: its allocation table, and the bitmaps of its blocks.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { VHD } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import { AllocationTable } from "./allocation_table.ts";
import { Bitmaps } from "./bitmaps.ts";
import type { Footer } from "./footer.ts";
import type { BlockHeader } from "./header.ts";
import { ENTRY_NONE, SECTOR_BYTES } from "./layout.ts";
import { BlockWriting } from "./write/block_writing.ts";

const COPY_USED = "the footer at its end is missing or damaged: its copy at the start was used";
/** Of the memory for metadata, one half is the table's, the other one the bitmaps'. */
const SHARES = 2;

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  readonly sizeBytes: number;
  readonly header: BlockHeader;
  readonly footer: Footer;
  /** The image below. */
  readonly backing: Image | undefined;
  readonly cacheBytes: number;
  readonly readOnly: boolean;
}

export class BlockVhd implements Image {
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
  readonly writing: Writing | undefined;
  readonly #header: BlockHeader;
  readonly #backing: Image | undefined;
  readonly #table: AllocationTable;
  readonly #bitmaps: Bitmaps;
  readonly #stored: StoredBlocks;

  /** @throws as {@link BlockWriting}, if it is not read-only */
  constructor(parts: ImageParts) {
    const { file, sizeBytes, header, backing, cacheBytes } = parts;
    this.sizeBytes = sizeBytes;
    this.warnings = parts.footer.isCopy ? [COPY_USED] : [];
    this.#header = header;
    this.#backing = backing;
    const share = cacheBytes / SHARES;
    this.#table = new AllocationTable(file, header, share);
    this.#bitmaps = new Bitmaps(file, header, share);
    this.#stored = new StoredBlocks(file, VHD.name);
    if (parts.readOnly) return;
    const [table, bitmaps, hasBacking] = [this.#table, this.#bitmaps, backing !== undefined];
    this.writing = new BlockWriting({ ...parts, table, bitmaps, hasBacking });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const position = this.#table.find(guestOffset, mapping);
    if (position < 0) return;
    const entry = this.#table.at(position);
    if (entry === ENTRY_NONE) {
      const runBytes = this.#table.missingBytes(position, guestOffset, lengthBytes);
      return mapping.setBacking(this.#backing, guestOffset, runBytes);
    }
    const { blockBytes, isDifferencing } = this.#header;
    const runBytes = Math.min(lengthBytes, blockBytes - guestOffset % blockBytes);
    if (isDifferencing) return this.#mapSectors(entry, guestOffset, runBytes, mapping);
    const hostOffset = this.#table.dataOffset(entry, guestOffset);
    this.#stored.setStored(entry * SECTOR_BYTES, hostOffset, runBytes, mapping);
  }

  /** Sectors of one block, as far as they all are in this image, or in the one below. */
  #mapSectors(entry: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const blockOffset = entry * SECTOR_BYTES;
    // Of a block that is not in the file, nothing is known, not even whose it is.
    this.#stored.setStored(blockOffset, blockOffset, lengthBytes, mapping);
    const { pieceBytes } = this.#header;
    const piece = Math.floor(guestOffset / pieceBytes);
    const position = this.#bitmaps.find(
      piece,
      this.#table.bitsOffset(entry, guestOffset),
      mapping,
    );
    if (position < 0) return;
    const inPiece = guestOffset - piece * pieceBytes;
    const first = Math.floor(inPiece / SECTOR_BYTES);
    const end = Math.ceil(Math.min(inPiece + lengthBytes, pieceBytes) / SECTOR_BYTES);
    const run = this.#bitmaps.runLength(position, first, end - first);
    const runBytes = Math.min((first + run) * SECTOR_BYTES - inPiece, lengthBytes);
    if (!this.#bitmaps.isSet(position, first)) {
      return mapping.setBacking(this.#backing, guestOffset, runBytes);
    }
    const hostOffset = this.#table.dataOffset(entry, guestOffset);
    this.#stored.setStored(blockOffset, hostOffset, runBytes, mapping);
  }

  dropCaches(): void {
    this.#table.clear();
    this.#bitmaps.clear();
  }

  [Symbol.dispose](): void {}
}
