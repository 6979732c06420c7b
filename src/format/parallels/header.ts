/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import {
  ENTRY_BYTES,
  HEADER,
  IN_USE,
  MAGICS,
  MAX_CLUSTER_SECTORS,
  SECTOR_BYTES,
  VERSION,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly sizeBytes: number;
  readonly clusterBytes: number;
  /** What an entry of the BAT counts: sectors, or clusters. */
  readonly entryUnitBytes: number;
  readonly entries: number;
  /** Nothing is stored before it. */
  readonly dataOffset: number;
  /** `inuse` as it is in the file. */
  readonly inUse: number;
  readonly flags: number;
  /** Of the extension; 0 if there is none. */
  readonly extensionOffset: bigint;
}

type Fields = ReturnType<typeof HEADER.read>;

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const fields = readFields(file);
  const clusterBytes = fields.tracks * SECTOR_BYTES;
  const isInClusters = hasMagic(fields, MAGICS.clusters);
  return {
    sizeBytes: servedSize(diskSize(fields), PARALLELS.name, file.path),
    clusterBytes,
    entryUnitBytes: isInClusters ? clusterBytes : SECTOR_BYTES,
    entries: fields.bat_entries,
    dataOffset: dataOffset(fields),
    inUse: fields.inuse,
    flags: fields.flags,
    extensionOffset: fields.ext_off * BigInt(SECTOR_BYTES),
  };
}

/** The upper half counts only in the newer images. */
export function diskSize(fields: Fields): bigint {
  const isLong = hasMagic(fields, MAGICS.clusters);
  return (isLong ? fields.nb_sectors : BigInt.asUintN(32, fields.nb_sectors)) *
    BigInt(SECTOR_BYTES);
}

/** Whether somebody has it open for writing, or did not close it in order. */
export function isInUse({ inUse }: Pick<Header, "inUse">): boolean {
  return inUse === IN_USE;
}

function hasMagic({ magic }: Fields, wanted: Uint8Array): boolean {
  return magic.every((byte, index) => byte === wanted[index]);
}

/** The first sector behind the BAT, or a later one. */
function dataOffset({ data_off, bat_entries }: Fields): number {
  const batEnd = HEADER.sizeBytes + bat_entries * ENTRY_BYTES;
  return Math.max(data_off, Math.ceil(batEnd / SECTOR_BYTES)) * SECTOR_BYTES;
}

/** The header's fields, each of which is checked by itself; throws as {@link readHeader}. */
export function readFields(file: ImageFile): Fields {
  if (file.sizeBytes < HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  if (!Object.values(MAGICS).some((magic) => hasMagic(fields, magic))) {
    throw damaged(file.path, "this is no Parallels image");
  }
  checkFields(fields, file);
  return fields;
}

function checkFields({ version, tracks, bat_entries }: Fields, file: ImageFile): void {
  if (version !== VERSION) {
    throw new UnsupportedFeatureError(PARALLELS.name, file.path, `version ${version}`);
  }
  if (tracks === 0 || tracks > MAX_CLUSTER_SECTORS) {
    throw damaged(file.path, `clusters of ${tracks} sectors are not possible`, "tracks");
  }
  if (HEADER.sizeBytes + bat_entries * ENTRY_BYTES > file.sizeBytes) {
    throw damaged(file.path, "the BAT lies outside the file", "bat_entries");
  }
}

function damaged(
  path: string,
  message: string,
  field?: keyof typeof HEADER.offsets,
): ImageFormatError {
  const hostOffset = field === undefined ? undefined : HEADER.offsets[field];
  return new ImageFormatError(PARALLELS.name, path, message, hostOffset);
}
