/**
 * The directory of persistent bitmaps (specification, "Bitmap directory"): read whole, and changed where
 * it lies. While it is, the header says that it is not valid.
 *
 * @module
 */
import type { ImageFile } from "../../../../storage/image_file.ts";
import { IoBuffer } from "../../../../sys/memory.ts";
import { extensionData } from "../../extensions.ts";
import { extensionArea, parseAllFields, readSource } from "../../header.ts";
import {
  BITMAP_ALIGNMENT_BYTES,
  BITMAP_ENTRY,
  BITMAPS_EXTENSION,
  ExtensionType,
  MAX_BITMAP_DIRECTORY_BYTES,
} from "../../layout.ts";
import type { HeaderWriter } from "../header_writer.ts";

/** Flags of an entry. */
export const BitmapFlag = {
  /** It is being changed, or was when somebody was killed. */
  InUse: 1,
  /** It has to say what is written to the disk. */
  Auto: 2,
  /** What is known of it may be used although there is more. */
  ExtraDataCompatible: 4,
} as const;

/** The only type there is: what has been written to. */
const TYPE_DIRTY_TRACKING = 1;
const MIN_GRANULARITY_BITS = 9;
const MAX_GRANULARITY_BITS = 31;

/** An entry of the directory. */
export interface BitmapEntry {
  /** Where it is in the directory. */
  readonly position: number;
  readonly tableOffset: number;
  readonly tableEntries: number;
  readonly flags: number;
  readonly granularityBits: number;
}

export class BitmapDirectory {
  readonly #file: ImageFile;
  readonly #hostOffset: number;
  readonly #buffer: IoBuffer;
  readonly #positions: readonly number[];

  private constructor(file: ImageFile, hostOffset: number, buffer: IoBuffer, count: number) {
    this.#file = file;
    this.#hostOffset = hostOffset;
    this.#buffer = buffer;
    this.#positions = positionsIn(buffer.view, count);
  }

  /**
   * The directory of an image whose header says that it is valid; undefined if there is none.
   *
   * @throws {RangeError} if something in it is not known here
   * @throws {SystemError} if it cannot be read
   */
  static read(file: ImageFile, clusterBytes: number): BitmapDirectory | undefined {
    const source = readSource(file);
    const { fields, more } = parseAllFields(source);
    const data = extensionData(extensionArea(fields, more, source), ExtensionType.bitmaps);
    if (data === undefined) return undefined;
    if (data.length !== BITMAPS_EXTENSION.sizeBytes) throw new RangeError("no such extension");
    const { bitmap_directory_offset, bitmap_directory_size, nb_bitmaps } = BITMAPS_EXTENSION
      .read(new DataView(data.buffer), 0);
    const [offset, bytes] = [Number(bitmap_directory_offset), Number(bitmap_directory_size)];
    if (
      bytes > MAX_BITMAP_DIRECTORY_BYTES || offset % clusterBytes !== 0 || offset === 0 ||
      offset + bytes > file.sizeBytes
    ) throw new RangeError("no directory can be there");
    const buffer = new IoBuffer(bytes);
    file.read(buffer, 0, offset, bytes);
    return new BitmapDirectory(file, offset, buffer, nb_bitmaps);
  }

  /** Where it is in the file. */
  get hostOffset(): number {
    return this.#hostOffset;
  }

  get sizeBytes(): number {
    return this.#buffer.size;
  }

  get entries(): BitmapEntry[] {
    return this.#positions.map((position) => {
      const entry = BITMAP_ENTRY.read(this.#buffer.view, position);
      return {
        position,
        tableOffset: Number(entry.bitmap_table_offset),
        tableEntries: entry.bitmap_table_size,
        flags: entry.flags,
        granularityBits: entry.granularity_bits,
      };
    });
  }

  setFlags({ position }: BitmapEntry, flags: number): void {
    BITMAP_ENTRY.write(this.#buffer.view, position, { flags });
  }

  setTable({ position }: BitmapEntry, tableOffset: number, tableEntries: number): void {
    BITMAP_ENTRY.write(this.#buffer.view, position, {
      bitmap_table_offset: BigInt(tableOffset),
      bitmap_table_size: tableEntries,
    });
  }

  /**
   * Writes it: a crash meanwhile leaves an image without valid bitmaps.
   *
   * @throws {SystemError} if it cannot be written
   */
  write(headerWriter: HeaderWriter): void {
    headerWriter.clearAutoclear();
    this.#file.write(this.#buffer, 0, this.#hostOffset, this.#buffer.size);
    this.#file.sync();
    headerWriter.validateBitmaps();
  }
}

/** @throws {RangeError} if an entry is not known here, or not in the directory */
function positionsIn(view: DataView, count: number): number[] {
  const positions: number[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const entry = BITMAP_ENTRY.read(view, at);
    const hasExtra = entry.extra_data_size > 0;
    const isKnown = entry.type === TYPE_DIRTY_TRACKING &&
      entry.granularity_bits >= MIN_GRANULARITY_BITS &&
      entry.granularity_bits <= MAX_GRANULARITY_BITS &&
      (!hasExtra || (entry.flags & BitmapFlag.ExtraDataCompatible) !== 0);
    if (!isKnown) throw new RangeError("a bitmap that is not known here");
    positions.push(at);
    const entryBytes = BITMAP_ENTRY.sizeBytes + entry.extra_data_size + entry.name_size;
    at += Math.ceil(entryBytes / BITMAP_ALIGNMENT_BYTES) * BITMAP_ALIGNMENT_BYTES;
  }
  if (at > view.byteLength) throw new RangeError("an entry is not in the directory");
  return positions;
}
