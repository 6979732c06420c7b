/**
 * The header of a hosted sparse extent: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { servedSize } from "../../../image/exact.ts";
import { VMDK } from "../../../image/formats.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { startsWith } from "../../kit/starts_with.ts";
import { damaged, unsupported } from "../errors.ts";
import {
  COMPRESSION_DEFLATE,
  DIRECTORY_IN_FOOTER,
  ENTRY_BYTES,
  HOSTED_HEADER,
  HOSTED_MARK,
  HostedFlag,
  MAX_DESCRIPTOR_BYTES,
  MAX_DIRECTORY_ENTRIES,
  MAX_GRAIN_SECTORS,
  MAX_TABLE_ENTRIES,
  MAX_VERSION,
  MAX_WRITTEN_GRAIN_SECTORS,
  MIN_GRAIN_SECTORS,
  NEWLINES,
  SECTOR_BYTES,
  TRACKED_VERSION,
} from "../layout.ts";
import type { ExtentHeader, FileRange } from "./kind.ts";
import { footerOf } from "./stream_footer.ts";

/** What the driver needs of a valid header. */
export interface HostedHeader extends ExtentHeader {
  /** Entries of each grain table. */
  readonly tableEntries: number;
  readonly directoryEntries: number;
  readonly directoryOffset: number;
  /** Of the directory that has copies of all tables; undefined if there is none. */
  readonly redundantOffset: number | undefined;
  /** Where grains may begin. */
  readonly overheadBytes: number;
  /** Whether an entry can say that a grain reads as zeros. */
  readonly hasZeroGrains: boolean;
}

type Fields = ReturnType<typeof HOSTED_HEADER.read>;

/**
 * Reads and checks the header of an extent.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHostedHeader(file: ImageFile): HostedHeader {
  const fields = readWholeFields(file);
  const { capacity, grain_size, table_entries, flags, unclean } = fields;
  const bytes = BigInt(SECTOR_BYTES);
  const perTable = grain_size * BigInt(table_entries);
  const entries = Number((capacity + perTable - 1n) / perTable);
  if (entries > MAX_DIRECTORY_ENTRIES) {
    throw damaged(file.path, "the directory is too large", HOSTED_HEADER.offsets.capacity);
  }
  return {
    sizeBytes: servedSize(capacity * bytes, VMDK.name, file.path),
    grainBytes: Number(grain_size * bytes),
    tableEntries: table_entries,
    directoryEntries: entries,
    ...directories(fields, entries, file),
    overheadBytes: overheadOf(fields, file),
    hasZeroGrains: (flags & HostedFlag.zeroGrains) !== 0,
    descriptor: descriptorRange(fields, file),
    isUnclean: unclean !== 0,
    isCompressed: (flags & HostedFlag.compressed) !== 0,
    obstacle: obstacleOf(fields),
  };
}

/** An uncompressed extent of version 3 has a file beside it that says what has changed. */
function obstacleOf({ flags, version, grain_size }: Fields): string | undefined {
  if ((flags & HostedFlag.compressed) !== 0) return "compressed grains";
  if (version === TRACKED_VERSION) return "extents of version 3";
  if (grain_size <= MAX_WRITTEN_GRAIN_SECTORS) return undefined;
  return `grains of ${grain_size} sectors`;
}

/**
 * The header's fields, or those of the footer that takes its place: the header of a stream was written when
 * not all of it was known.
 */
function readWholeFields(file: ImageFile): Fields {
  if (file.sizeBytes < HOSTED_HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const fields = readFields(file, 0);
  const { flags, compression, directory } = fields;
  if ((flags & HostedFlag.compressed) === 0) return fields;
  if ((flags & HostedFlag.markers) === 0) {
    throw unsupported(file.path, "compressed grains without markers");
  }
  if (compression !== COMPRESSION_DEFLATE) {
    throw unsupported(file.path, `the compression method ${compression}`);
  }
  return directory === DIRECTORY_IN_FOOTER ? readFields(file, footerOf(file)) : fields;
}

/** The fields, each of which is checked by itself; throws as {@link readHostedHeader}. */
function readFields(file: ImageFile, hostOffset: number): Fields {
  const head = new IoBuffer(HOSTED_HEADER.sizeBytes);
  file.read(head, 0, hostOffset, head.size);
  const fields = HOSTED_HEADER.read(head.view, 0);
  if (!startsWith(fields.magic, HOSTED_MARK)) throw damaged(file.path, "this is no VMDK extent");
  const { version, flags, newlines } = fields;
  if (version === 0 || version > MAX_VERSION) throw unsupported(file.path, `version ${version}`);
  if ((flags & HostedFlag.newlines) !== 0 && !startsWith(newlines, NEWLINES)) {
    const message = "the file was damaged when it was transferred as text";
    throw damaged(file.path, message, HOSTED_HEADER.offsets.newlines);
  }
  checkGrains(fields, file.path);
  return fields;
}

function checkGrains({ grain_size: sectors, table_entries }: Fields, path: string): void {
  const isPowerOfTwo = (sectors & sectors - 1n) === 0n;
  if (sectors < MIN_GRAIN_SECTORS || sectors > MAX_GRAIN_SECTORS || !isPowerOfTwo) {
    const message = `grains of ${sectors} sectors are not possible`;
    throw damaged(path, message, HOSTED_HEADER.offsets.grain_size);
  }
  if (table_entries < 1 || table_entries > MAX_TABLE_ENTRIES) {
    const message = `grain tables of ${table_entries} entries are not possible`;
    throw damaged(path, message, HOSTED_HEADER.offsets.table_entries);
  }
}

function directories(
  { flags, directory, redundant_directory }: Fields,
  entries: number,
  file: ImageFile,
): Pick<HostedHeader, "directoryOffset" | "redundantOffset"> {
  const place = (sector: bigint, field: "directory" | "redundant_directory"): number => {
    const end = sector * BigInt(SECTOR_BYTES) + BigInt(entries * ENTRY_BYTES);
    if (sector > 0n && end <= BigInt(file.sizeBytes)) return Number(sector) * SECTOR_BYTES;
    const offset = HOSTED_HEADER.offsets[field];
    throw damaged(file.path, "the directory of grain tables lies outside the file", offset);
  };
  // Of what is never written to, copies are worth nothing, and need not be there.
  const hasRedundant = (flags & (HostedFlag.redundant | HostedFlag.compressed)) ===
    HostedFlag.redundant;
  return {
    directoryOffset: entries === 0 ? 0 : place(directory, "directory"),
    redundantOffset: hasRedundant && entries > 0
      ? place(redundant_directory, "redundant_directory")
      : undefined,
  };
}

function overheadOf({ overhead }: Fields, file: ImageFile): number {
  const sizeBytes = overhead * BigInt(SECTOR_BYTES);
  if (sizeBytes <= BigInt(file.sizeBytes)) return Number(sizeBytes);
  const message = `the file is cut off: it has less than ${sizeBytes} bytes`;
  throw damaged(file.path, message, HOSTED_HEADER.offsets.overhead);
}

function descriptorRange(
  { descriptor_offset, descriptor_size }: Fields,
  file: ImageFile,
): FileRange | undefined {
  if (descriptor_offset === 0n) return undefined;
  const start = descriptor_offset * BigInt(SECTOR_BYTES);
  const length = descriptor_size * BigInt(SECTOR_BYTES);
  if (length > MAX_DESCRIPTOR_BYTES || start + length > BigInt(file.sizeBytes)) {
    const message = "the descriptor cannot be where it is said to be";
    throw damaged(file.path, message, HOSTED_HEADER.offsets.descriptor_offset);
  }
  return { hostOffset: Number(start), lengthBytes: Number(length) };
}
