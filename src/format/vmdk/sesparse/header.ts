/**
 * The headers of a space-efficient sparse extent: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { servedSize } from "../../../image/exact.ts";
import { VMDK } from "../../../image/formats.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged, unsupported } from "../errors.ts";
import type { ExtentHeader } from "../extents/kind.ts";
import { SECTOR_BYTES } from "../layout.ts";
import {
  CONSTANTS,
  ENTRY_BYTES,
  GRAIN_BYTES,
  HEADER,
  TABLE_ENTRIES,
  TABLE_SPAN,
  VOLATILE_HEADER,
  VOLATILE_MAGIC,
} from "./layout.ts";

/** What the driver needs of valid headers. */
export interface SeSparseHeader extends ExtentHeader {
  readonly directoryOffset: number;
  readonly directoryEntries: number;
  readonly tablesOffset: number;
  /** How many tables there are. */
  readonly tables: number;
  readonly grainsOffset: number;
}

type Fields = ReturnType<typeof HEADER.read>;

/**
 * Reads and checks the headers of an extent.
 *
 * @throws {ImageFormatError} if they are not valid
 * @throws {UnsupportedFeatureError} if it needs what is not known of such extents
 * @throws {SystemError} if the file cannot be read
 */
export function readSeSparseHeader(file: ImageFile): SeSparseHeader {
  const fields = HEADER.read(read(file, 0, HEADER.sizeBytes).view, 0);
  checkConstants(fields, file.path);
  checkVolatileHeader(file, bytesOf(fields, "volatile_offset", file));
  const { capacity } = fields;
  const sizeBytes = servedSize(capacity * BigInt(SECTOR_BYTES), VMDK.name, file.path);
  const directoryEntries = Math.ceil(sizeBytes / TABLE_SPAN);
  const directoryBytes = directoryEntries * ENTRY_BYTES;
  const tablesBytes = Number(fields.tables_size) * SECTOR_BYTES;
  if (directoryBytes > Number(fields.directory_size) * SECTOR_BYTES) {
    throw damaged(file.path, "the directory is too short", HEADER.offsets.directory_size);
  }
  const header = {
    sizeBytes,
    grainBytes: GRAIN_BYTES,
    descriptor: undefined,
    isUnclean: false,
    isCompressed: false,
    obstacle: "sparse extents of ESX",
    directoryOffset: bytesOf(fields, "directory_offset", file),
    directoryEntries,
    tablesOffset: bytesOf(fields, "tables_offset", file),
    tables: Math.floor(tablesBytes / (TABLE_ENTRIES * ENTRY_BYTES)),
    grainsOffset: bytesOf(fields, "grains_offset", file, { mayBeEnd: true }),
  };
  if (header.directoryOffset + directoryBytes > file.sizeBytes) {
    throw damaged(file.path, "the directory is not in the file", HEADER.offsets.directory_offset);
  }
  if (header.tablesOffset + tablesBytes > file.sizeBytes) {
    throw damaged(file.path, "the tables are not in the file", HEADER.offsets.tables_offset);
  }
  return header;
}

/** The values that nobody knows others of. */
function checkConstants(fields: Fields, path: string): void {
  for (const [name, value] of Object.entries(CONSTANTS)) {
    const found = fields[name as keyof typeof CONSTANTS];
    if (found === value) continue;
    throw unsupported(path, `SESPARSE extents whose ${name} is 0x${found.toString(16)}`);
  }
  if (fields.reserved.every((byte) => byte === 0)) return;
  throw unsupported(path, "SESPARSE extents whose reserved fields are in use");
}

function checkVolatileHeader(file: ImageFile, hostOffset: number): void {
  const { view } = read(file, hostOffset, VOLATILE_HEADER.sizeBytes);
  const { magic, replay_journal } = VOLATILE_HEADER.read(view, 0);
  if (magic !== VOLATILE_MAGIC) {
    throw damaged(file.path, "there is no volatile header", hostOffset);
  }
  if (replay_journal !== 0n) {
    throw unsupported(file.path, "SESPARSE extents whose journal has to be replayed");
  }
}

function read(file: ImageFile, hostOffset: number, lengthBytes: number): IoBuffer {
  if (hostOffset + lengthBytes > file.sizeBytes) {
    throw damaged(file.path, "the file is too short for its headers", hostOffset);
  }
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}

/** A place in the file. */
function bytesOf(
  fields: Fields,
  name: "volatile_offset" | "directory_offset" | "tables_offset" | "grains_offset",
  file: ImageFile,
  { mayBeEnd = false } = {},
): number {
  const offset = fields[name] * BigInt(SECTOR_BYTES);
  const end = BigInt(file.sizeBytes);
  if (offset > 0n && (offset < end || mayBeEnd && offset === end)) return Number(offset);
  throw damaged(file.path, `${name} is 0x${fields[name].toString(16)}`, HEADER.offsets[name]);
}
