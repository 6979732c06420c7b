/**
 * The tables of an image, wherever they are described.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { damaged } from "./errors.ts";
import { ENTRY, TABLE, TABLE_MAGIC } from "./layout.ts";
import { tablesIn } from "./plist.ts";
import { tablesAmong } from "./resource_fork.ts";
import { type Range, readRange, type Trailer } from "./trailer.ts";

/** One table. */
export interface Table {
  /** Its entries are behind it. */
  readonly view: DataView;
  readonly entries: number;
  /** What the entries' sectors count from. */
  readonly firstSector: number;
  /** What the entries' offsets count from, in the file. */
  readonly hostOffset: number;
}

/**
 * All tables, in the order in which they are described.
 *
 * @throws {ImageFormatError} if there is none, or one is damaged
 * @throws {SystemError} if the file cannot be read
 */
export function readTables(file: ImageFile, trailer: Trailer): Table[] {
  const { plist, resources } = trailer;
  const tables: Table[] = [];
  // Where both are there, they say the same: 7-Zip takes the first one, qemu the other one.
  const place = plist ?? resources;
  if (place === undefined) return tables;
  try {
    const found = plist === undefined ? resourcesAt(file, place) : plistAt(file, place);
    for (const bytes of found) tables.push(tableOf(bytes, trailer, file));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const name = plist === undefined ? "resource fork" : "property list";
    throw damaged(file.path, `the ${name} is damaged: ${error.message}`, place.hostOffset);
  }
  if (tables.length === 0) throw damaged(file.path, "there is no table of the disk");
  return tables;
}

function plistAt(file: ImageFile, place: Range): Iterable<Uint8Array<ArrayBuffer>> {
  return tablesIn(new TextDecoder("latin1").decode(readRange(file, place).bytes));
}

function resourcesAt(file: ImageFile, place: Range): Iterable<Uint8Array<ArrayBuffer>> {
  return tablesAmong(readRange(file, place).bytes);
}

/** @throws {RangeError} if it is none */
function tableOf(
  bytes: Uint8Array<ArrayBuffer>,
  { dataForkOffset }: Trailer,
  { sizeBytes, path }: ImageFile,
): Table {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { magic, first_sector, data_offset, entries } = TABLE.read(view, 0);
  if (magic !== TABLE_MAGIC) throw new RangeError("a table in it is none");
  if (TABLE.sizeBytes + entries * ENTRY.sizeBytes > bytes.length) {
    throw new RangeError(`a table in it is too short for ${entries} entries`);
  }
  const hostOffset = dataForkOffset + data_offset;
  if (hostOffset > sizeBytes) throw damaged(path, "the data of a table lie outside the file");
  return {
    view,
    entries,
    firstSector: Number(first_sector),
    hostOffset: Number(hostOffset),
  };
}
