/**
 * Which sectors of stored blocks have bits that are 1: they are the image's own.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Blockable } from "../../kit/flat_table.ts";
import type { AllocationTable } from "../allocation_table.ts";
import type { Bitmaps } from "../bitmaps.ts";
import type { BlockHeader } from "../header.ts";
import { SECTOR_BYTES } from "../layout.ts";

const BITS = 8;

/** What an image consists of that is asked here. */
export interface SectorsParts {
  readonly file: ImageFile;
  readonly header: BlockHeader;
  readonly table: AllocationTable;
  readonly bitmaps: Bitmaps;
}

export class OwnSectors {
  readonly #parts: SectorsParts;
  /** A bit for each piece of the disk: whether all of its sectors are known to be the image's own. */
  readonly #whole: Uint8Array;

  constructor(parts: SectorsParts) {
    this.#parts = parts;
    this.#whole = new Uint8Array(OwnSectors.memoryFor(parts.header));
  }

  /** What it keeps in memory, in bytes. */
  static memoryFor({ entries, bitmapBytes }: BlockHeader): number {
    return Math.ceil(entries * bitmapBytes / SECTOR_BYTES / BITS);
  }

  /** How much of a piece there is from `guestOffset` on: one answer is about no more. */
  restOfPiece(guestOffset: number): number {
    const { pieceBytes } = this.#parts.header;
    return pieceBytes - guestOffset % pieceBytes;
  }

  /**
   * How many of `lengthBytes` from `guestOffset` on, in one piece of a stored block, are the image's own, or,
   * as a negative number, are not.
   *
   * @returns 0 where `request` now says Blocked
   * @throws {SystemError} if the bitmap cannot be read
   */
  runBytes(entry: number, guestOffset: number, lengthBytes: number, request: Blockable): number {
    const { bitmaps, header: { pieceBytes } } = this.#parts;
    const piece = Math.floor(guestOffset / pieceBytes);
    if (this.#isWhole(piece)) return lengthBytes;
    const position = this.#find(entry, guestOffset, request);
    if (position < 0) return 0;
    const inPiece = guestOffset - piece * pieceBytes;
    const first = Math.floor(inPiece / SECTOR_BYTES);
    const count = Math.ceil((inPiece + lengthBytes) / SECTOR_BYTES) - first;
    const run = bitmaps.runLength(position, first, count);
    const runBytes = Math.min((first + run) * SECTOR_BYTES - inPiece, lengthBytes);
    if (!bitmaps.isSet(position, first)) return -runBytes;
    if (run === count) this.#noteWhole(piece, position);
    return runBytes;
  }

  #find(entry: number, guestOffset: number, request: Blockable): number {
    const { bitmaps, table, header: { pieceBytes } } = this.#parts;
    const piece = Math.floor(guestOffset / pieceBytes);
    return bitmaps.find(piece, table.bitsOffset(entry, guestOffset), request);
  }

  #isWhole(piece: number): boolean {
    return ((this.#whole[Math.floor(piece / BITS)] ?? 0) & 1 << piece % BITS) !== 0;
  }

  #noteWhole(piece: number, position: number): void {
    const { bitmaps, header: { pieceBytes } } = this.#parts;
    const sectors = pieceBytes / SECTOR_BYTES;
    if (!bitmaps.isSet(position, 0) || bitmaps.runLength(position, 0, sectors) < sectors) return;
    const at = Math.floor(piece / BITS);
    this.#whole[at] = (this.#whole[at] ?? 0) | 1 << piece % BITS;
  }

  /**
   * Has there be a bitmap for a new block, which is a hole in the file: with all bits 1 for an image that has
   * nothing below it, and else none, of which those about the piece at `guestOffset` are now in memory.
   *
   * @returns false where `request` now says Blocked
   * @throws {SystemError} if it cannot be written
   */
  begin(entry: number, guestOffset: number, request: Blockable): boolean {
    const { file, bitmaps, table, header } = this.#parts;
    if (header.isDifferencing) {
      const piece = Math.floor(guestOffset / header.pieceBytes);
      return bitmaps.provide(piece, table.bitsOffset(entry, guestOffset), request) >= 0;
    }
    const ones = new IoBuffer(header.bitmapBytes);
    ones.bytes.fill(0xff);
    file.write(ones, 0, entry * SECTOR_BYTES, header.bitmapBytes);
    return true;
  }

  /**
   * Has whole sectors of one piece be the image's own. The piece's bits are in memory, as it has just been
   * asked about, or begun. Where nothing is below, they have zeros until they are written to: the bits may be
   * written at once.
   */
  add(entry: number, guestOffset: number, lengthBytes: number, request: Blockable): void {
    const { bitmaps, header: { pieceBytes, isDifferencing } } = this.#parts;
    const position = this.#find(entry, guestOffset, request);
    const first = Math.floor(guestOffset % pieceBytes / SECTOR_BYTES);
    const end = Math.ceil((guestOffset % pieceBytes + lengthBytes) / SECTOR_BYTES);
    bitmaps.set(position, first, end - first);
    if (isDifferencing || !bitmaps.writeThrough(position)) bitmaps.markDirty(position);
  }

  /** Whether nothing has to be written any more of the bits about a range of the disk. */
  areWritten(guestOffset: number, lengthBytes: number): boolean {
    const { bitmaps, header: { pieceBytes } } = this.#parts;
    const end = Math.ceil((guestOffset + lengthBytes) / pieceBytes);
    for (let piece = Math.floor(guestOffset / pieceBytes); piece < end; piece++) {
      if (!bitmaps.isWritten(piece)) return false;
    }
    return true;
  }
}
