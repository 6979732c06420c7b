/**
 * What persistent bitmaps take of the file (specification, "Bitmaps"): a directory, a table for each
 * bitmap, and the clusters that those name.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { hex } from "../errors.ts";
import { extensionData } from "../extensions.ts";
import { extensionArea, parseAllFields, readSource } from "../header.ts";
import type { Header } from "../header_types.ts";
import { offsetInEntry } from "../l1.ts";
import {
  AUTOCLEAR_BITMAPS,
  BITMAP_ALIGNMENT_BYTES,
  BITMAP_ENTRY,
  BITMAPS_EXTENSION,
  ExtensionType,
  MAX_BITMAP_DIRECTORY_BYTES,
  TABLE_ENTRY_BYTES,
} from "../layout.ts";
import { EntryLists } from "./entry_lists.ts";
import type { Findings } from "./findings.ts";
import type { References } from "./references.ts";

/** Bits of an entry of a bitmap table that mean nothing: 56-63 and 1-8. */
const RESERVED = { high: 0xff00_0000, low: 0x1fe } as const;
/** Bit 0: all bits are 1, where there is no cluster. */
const ALL_ONES_LOW = 1;

export interface BitmapParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly findings: Findings;
  readonly references: References;
}

/** Counts what bitmaps refer to; those that a program without bitmaps has let become invalid are gone. */
export function addBitmaps(parts: BitmapParts): void {
  const { file, header, findings, references } = parts;
  if ((header.autoclear & AUTOCLEAR_BITMAPS) === 0n) return;
  const source = readSource(file);
  const { fields, more } = parseAllFields(source);
  const data = extensionData(extensionArea(fields, more, source), ExtensionType.bitmaps);
  if (data === undefined || data.length < BITMAPS_EXTENSION.sizeBytes) return;
  const extension = BITMAPS_EXTENSION.read(new DataView(data.buffer), 0);
  const offset = Number(extension.bitmap_directory_offset);
  const bytes = Number(extension.bitmap_directory_size);
  if (extension.nb_bitmaps === 0) return;
  references.addArea(offset, bytes);
  if (bytes > MAX_BITMAP_DIRECTORY_BYTES || !references.isInFile(offset, bytes)) {
    return findings.unreadable(() => "the directory of bitmaps cannot be read");
  }
  addDirectory(parts, { offset, bytes, bitmaps: extension.nb_bitmaps });
}

interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly bitmaps: number;
}

function addDirectory(parts: BitmapParts, { offset, bytes, bitmaps }: Directory): void {
  const { file, header, findings, references } = parts;
  const directory = new IoBuffer(bytes);
  file.read(directory, 0, offset, bytes);
  const tables = new EntryLists(file);
  let at = 0;
  for (let index = 0; index < bitmaps; index++) {
    const entry = at + BITMAP_ENTRY.sizeBytes <= bytes
      ? BITMAP_ENTRY.read(directory.view, at)
      : undefined;
    if (entry === undefined || !canBeTable(entry.bitmap_table_offset, header)) {
      findings.unreadable(() => `bitmap ${index} has no table where one can be`);
      break;
    }
    const table = Number(entry.bitmap_table_offset);
    references.addArea(table, entry.bitmap_table_size * TABLE_ENTRY_BYTES);
    tables.add(table, entry.bitmap_table_size);
    const entryBytes = BITMAP_ENTRY.sizeBytes + entry.extra_data_size + entry.name_size;
    at += Math.ceil(entryBytes / BITMAP_ALIGNMENT_BYTES) * BITMAP_ALIGNMENT_BYTES;
  }
  tables.forEach((view, position, times) => addCluster(parts, view, position, times));
}

function canBeTable(offset: bigint, { clusterBytes }: Pick<Header, "clusterBytes">): boolean {
  return offset > 0n && offset % BigInt(clusterBytes) === 0n;
}

function addCluster(parts: BitmapParts, view: DataView, position: number, times: number): void {
  const { header: { clusterBytes }, findings, references } = parts;
  const high = view.getUint32(position);
  const low = view.getUint32(position + 4);
  const offset = offsetInEntry(view, position);
  const isBad = (high & RESERVED.high) !== 0 || (low & RESERVED.low) !== 0 ||
    offset % clusterBytes !== 0 || offset !== 0 && (low & ALL_ONES_LOW) !== 0;
  if (isBad) {
    return findings.unreadable(() => `entry of a bitmap for ${hex(offset)} cannot be one`, times);
  }
  if (offset !== 0) references.add(offset, clusterBytes, times);
}
