/**
 * What of the file is in use: no part of it may be two things, or it could not be written to.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { ONLY_READABLE } from "../../../image/errors.ts";
import { damaged } from "../errors.ts";
import type { Footer } from "../footer.ts";
import type { BlockHeader } from "../header.ts";
import { DYNAMIC_HEADER, ENTRY_BYTES, ENTRY_NONE, FOOTER_BYTES, SECTOR_BYTES } from "../layout.ts";
import { locatorAreas } from "../parent.ts";

/** So much of the table is read at once. */
const CHUNK_BYTES = 64 * 1024;
/** What may lie between blocks that are aligned. */
const GAP_SECTORS = 8;

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
  /** How many could lie where there is nothing in the file. */
  readonly unusedBlocks: number;
  /** How many blocks do not lie behind the one before. */
  readonly fragmented: number;
}

/** Hears what is wrong with the file at an offset. */
export type FaultReport = (message: string, hostOffset: number) => void;

/** Memory that looking takes, which is given back then. */
export function memoryForPlaces({ entries }: BlockHeader): number {
  return entries * ENTRY_BYTES;
}

/**
 * As {@link surveyPlaces}, of an image that is to be written to.
 *
 * @throws {ImageFormatError} if two parts of the file overlap, or a block is not in it
 */
export function findUsedPlaces(file: ImageFile, header: BlockHeader, footer: Footer): UsedPlaces {
  return surveyPlaces(file, { header, footer }, (message, hostOffset) => {
    throw damaged(file.path, `${message}: ${ONLY_READABLE}`, hostOffset);
  });
}

/**
 * Reads the whole table.
 *
 * @param report hears of parts of the file that overlap, and of blocks that are not in it
 * @throws {SystemError} if it cannot be read
 */
export function surveyPlaces(
  file: ImageFile,
  { header, footer }: { readonly header: BlockHeader; readonly footer: Footer },
  report: FaultReport,
): UsedPlaces {
  const { starts, fragmented } = storedStarts(file, header);
  const { blockBytes, bitmapBytes } = header;
  const end = file.sizeBytes - (footer.isCopy ? 0 : FOOTER_BYTES);
  const storedBytes = bitmapBytes + blockBytes;
  const check = new OverlapCheck(storedBytes, metadataAreas(file, header, footer), report);
  for (const sector of starts.sort()) {
    const start = sector * SECTOR_BYTES;
    const area = { what: "a block", start, end: start + storedBytes };
    if (area.end > end) report("a block is not all in the file", start);
    else check.next(area);
  }
  const { endBytes, unusedBlocks } = check.finish();
  if (endBytes > end) report("metadata reach into the footer", end);
  const behind = Math.max(0, Math.floor((end - endBytes) / storedBytes));
  const storedBlocks = starts.length;
  return { storedBlocks, endBytes, unusedBlocks: unusedBlocks + behind, fragmented };
}

/** The first sectors of all stored blocks, in the order of the disk. */
function storedStarts(
  file: ImageFile,
  header: BlockHeader,
): { readonly starts: Uint32Array; readonly fragmented: number } {
  const { tableOffset, entries, bitmapBytes, blockBytes } = header;
  const nearest = (bitmapBytes + blockBytes) / SECTOR_BYTES;
  const starts = new Uint32Array(entries);
  const chunk = new IoBuffer(CHUNK_BYTES);
  const tableBytes = entries * ENTRY_BYTES;
  let count = 0;
  let fragmented = 0;
  for (let start = 0; start < tableBytes; start += CHUNK_BYTES) {
    const lengthBytes = Math.min(CHUNK_BYTES, tableBytes - start);
    file.read(chunk, 0, tableOffset + start, lengthBytes);
    for (let at = 0; at < lengthBytes; at += ENTRY_BYTES) {
      const entry = chunk.view.getUint32(at);
      if (entry === ENTRY_NONE) continue;
      const behindLast = entry - (starts[count - 1] ?? entry - nearest) - nearest;
      if (behindLast < 0 || behindLast > GAP_SECTORS) fragmented++;
      starts[count++] = entry;
    }
  }
  return { starts: starts.subarray(0, count), fragmented };
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
  readonly #storedBytes: number;
  readonly #others: Area[];
  readonly #report: FaultReport;
  #last: Area = { what: "", start: 0, end: 0 };
  #unusedBlocks = 0;

  constructor(storedBytes: number, others: Area[], report: FaultReport) {
    this.#storedBytes = storedBytes;
    this.#others = others;
    this.#report = report;
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
    const gap = area.start - this.#last.end;
    if (gap < 0) this.#report(`${area.what} lies in ${this.#last.what}`, area.start);
    else this.#unusedBlocks += Math.floor(gap / this.#storedBytes);
    if (area.end > this.#last.end) this.#last = area;
  }

  /** Where the last one ends, and what is unused before that. */
  finish(): Pick<UsedPlaces, "endBytes" | "unusedBlocks"> {
    for (const other of this.#others.splice(0)) this.#append(other);
    return { endBytes: this.#last.end, unusedBlocks: this.#unusedBlocks };
  }
}
