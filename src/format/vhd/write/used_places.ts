/**
 * What of the file is in use: no part of it may be two things, or it could not be written to.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged } from "../errors.ts";
import type { Footer } from "../footer.ts";
import type { BlockHeader } from "../header.ts";
import { DYNAMIC_HEADER, ENTRY_BYTES, ENTRY_NONE, FOOTER_BYTES, SECTOR_BYTES } from "../layout.ts";
import { locatorAreas } from "../parent.ts";

/** So much of the table is read at once. */
const CHUNK_BYTES = 64 * 1024;
const READ_ONLY_HINT = ": it cannot be written to (-r attaches it read-only)";

/** A part of the file. */
interface Area {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

/** What has been found. */
export interface UsedPlaces {
  /** How many blocks are stored. */
  readonly storedBlocks: number;
  /** Nothing behind it is in use but the footer. */
  readonly endBytes: number;
}

/** Memory that looking takes, which is given back then. */
export function memoryForPlaces({ entries }: BlockHeader): number {
  return entries * ENTRY_BYTES;
}

/**
 * Reads the whole table.
 *
 * @throws {ImageFormatError} if two parts of the file overlap, or a block is not in it
 * @throws {SystemError} if it cannot be read
 */
export function findUsedPlaces(file: ImageFile, header: BlockHeader, footer: Footer): UsedPlaces {
  const starts = storedStarts(file, header);
  const { blockBytes, bitmapBytes } = header;
  const metadata = metadataAreas(file, header, footer);
  const end = file.sizeBytes - (footer.isCopy ? 0 : FOOTER_BYTES);
  const check = new OverlapCheck(file, metadata);
  for (const sector of starts) {
    const start = sector * SECTOR_BYTES;
    check.next({ what: "a block", start, end: start + bitmapBytes + blockBytes });
  }
  const endBytes = check.finish();
  if (endBytes > end) {
    throw damaged(file.path, `its last block is not all in the file${READ_ONLY_HINT}`);
  }
  return { storedBlocks: starts.length, endBytes };
}

/** The first sectors of all stored blocks, in their order in the file. */
function storedStarts(file: ImageFile, { tableOffset, entries }: BlockHeader): Uint32Array {
  const starts = new Uint32Array(entries);
  const chunk = new IoBuffer(CHUNK_BYTES);
  const tableBytes = entries * ENTRY_BYTES;
  let count = 0;
  for (let start = 0; start < tableBytes; start += CHUNK_BYTES) {
    const lengthBytes = Math.min(CHUNK_BYTES, tableBytes - start);
    file.read(chunk, 0, tableOffset + start, lengthBytes);
    for (let at = 0; at < lengthBytes; at += ENTRY_BYTES) {
      const entry = chunk.view.getUint32(at);
      if (entry !== ENTRY_NONE) starts[count++] = entry;
    }
  }
  return starts.subarray(0, count).sort();
}

function metadataAreas(file: ImageFile, header: BlockHeader, { fields }: Footer): Area[] {
  const { tableOffset, entries } = header;
  const headerStart = Number(fields.data_offset);
  const areas = [
    { what: "the copy of the footer", start: 0, end: FOOTER_BYTES },
    {
      what: "the dynamic header",
      start: headerStart,
      end: headerStart + DYNAMIC_HEADER.sizeBytes,
    },
    { what: "the table", start: tableOffset, end: tableOffset + entries * ENTRY_BYTES },
    ...(header.isDifferencing ? locatorAreas(file, header.fields) : [])
      .map((area) => ({ what: "a name of the parent", ...area })),
  ];
  return areas.sort((a, b) => a.start - b.start);
}

/** Goes through blocks in their order, and what else there is between them. */
class OverlapCheck {
  readonly #file: ImageFile;
  readonly #others: Area[];
  #last: Area = { what: "", start: 0, end: 0 };

  constructor(file: ImageFile, others: Area[]) {
    this.#file = file;
    this.#others = others;
  }

  next(area: Area): void {
    for (;;) {
      const [other] = this.#others;
      if (other === undefined || other.start > area.start) return this.#append(area);
      this.#others.shift();
      this.#append(other);
    }
  }

  #append(area: Area): void {
    if (area.start < this.#last.end) {
      const message = `${area.what} lies in ${this.#last.what}${READ_ONLY_HINT}`;
      throw damaged(this.#file.path, message, area.start);
    }
    this.#last = area;
  }

  /** Where the last one ends. */
  finish(): number {
    for (const other of this.#others.splice(0)) this.#append(other);
    return this.#last.end;
  }
}
