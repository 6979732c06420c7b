/**
 * Sparse extents of snapshots on VMFS up to version 5, which begin with "COWD": like hosted ones, with larger
 * tables, and grains as small as a sector.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { startsWith } from "../../kit/starts_with.ts";
import { damaged, unsupported } from "../errors.ts";
import {
  COWD_HEADER,
  COWD_MARK,
  COWD_TABLE_ENTRIES,
  COWD_VERSION,
  ENTRY_BYTES,
  MAX_DIRECTORY_ENTRIES,
  MAX_GRAIN_SECTORS,
  SECTOR_BYTES,
} from "../layout.ts";
import { HostedExtent } from "./hosted.ts";
import type { HostedHeader } from "./hosted_header.ts";
import type { ExtentKind } from "./kind.ts";

/** Sparse extents on VMFS. */
export const cowd: ExtentKind = {
  isMarked: (head) => startsWith(head, COWD_MARK),
  header: readCowdHeader,
  open: (file, options) => new HostedExtent(file, readCowdHeader(file), options),
};

type Fields = ReturnType<typeof COWD_HEADER.read>;

/**
 * Reads and checks the header of an extent.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
function readCowdHeader(file: ImageFile): HostedHeader {
  if (file.sizeBytes < COWD_HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(COWD_HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = COWD_HEADER.read(head.view, 0);
  const { version, capacity, grain_size, directory, next_free, unclean } = fields;
  if (version !== COWD_VERSION) throw unsupported(file.path, `version ${version}`);
  if (grain_size < 1 || grain_size > MAX_GRAIN_SECTORS) {
    const message = `grains of ${grain_size} sectors are not possible`;
    throw damaged(file.path, message, COWD_HEADER.offsets.grain_size);
  }
  return {
    sizeBytes: capacity * SECTOR_BYTES,
    grainBytes: grain_size * SECTOR_BYTES,
    tableEntries: COWD_TABLE_ENTRIES,
    directoryEntries: directoryEntries(fields, file),
    directoryOffset: directory * SECTOR_BYTES,
    redundantOffset: undefined,
    hasZeroGrains: false,
    descriptor: undefined,
    isUnclean: unclean !== 0,
    isCompressed: false,
    overheadBytes: next_free * SECTOR_BYTES,
    obstacle: "sparse extents of ESX",
  };
}

/** As many as the disk needs: there may be more. */
function directoryEntries(
  { capacity, grain_size, directory, directory_entries }: Fields,
  file: ImageFile,
): number {
  const needed = Math.ceil(capacity / (grain_size * COWD_TABLE_ENTRIES));
  const end = directory * SECTOR_BYTES + needed * ENTRY_BYTES;
  const { offsets } = COWD_HEADER;
  if (needed > directory_entries || needed > MAX_DIRECTORY_ENTRIES) {
    const message = `a directory of ${directory_entries} tables is not one of the disk`;
    throw damaged(file.path, message, offsets.directory_entries);
  }
  if (directory === 0 || end > file.sizeBytes) {
    const message = "the directory of grain tables lies outside the file";
    throw damaged(file.path, message, offsets.directory);
  }
  return needed;
}
