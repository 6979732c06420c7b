/**
 * The region table, and its copy: where the other structures are.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { crc32c } from "../kit/crc32c.ts";
import { guidText } from "../kit/guid.ts";
import { damaged, unsupported } from "./errors.ts";
import {
  ALIGNMENT,
  MAX_ENTRIES,
  Region,
  REGION_ENTRY,
  REGION_SIGNATURE,
  REGION_TABLE,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
} from "./layout.ts";

/** A part of the file. */
export interface Area {
  readonly hostOffset: number;
  readonly lengthBytes: number;
}

/** The regions that there have to be. */
export interface Regions {
  readonly bat: Area;
  readonly metadata: Area;
}

interface NamedArea extends Area {
  readonly guid: string;
}

/**
 * Reads the region table, or its copy where that is damaged.
 *
 * @throws {ImageFormatError} if both are, or regions cannot lie as they are said to
 * @throws {UnsupportedFeatureError} if there is one that has to be understood, and is not known
 * @throws {SystemError} if the file cannot be read
 */
export function readRegions(file: ImageFile): Regions {
  const [first, second] = REGION_TABLE_OFFSETS;
  const table = tableAt(file, first) ?? tableAt(file, second);
  if (table === undefined) {
    throw damaged(file.path, "both region tables are damaged", REGION_TABLE_OFFSETS[0]);
  }
  const areas = entriesOf(table, file);
  refuseOverlaps(areas, file);
  return {
    bat: areaNamed(Region.bat, areas, file),
    metadata: areaNamed(Region.metadata, areas, file),
  };
}

/** Undefined where it is not valid. */
function tableAt(file: ImageFile, hostOffset: number): IoBuffer | undefined {
  const buffer = new IoBuffer(REGION_TABLE_BYTES);
  file.read(buffer, 0, hostOffset, REGION_TABLE_BYTES);
  const { signature, checksum, entry_count } = REGION_TABLE.read(buffer.view, 0);
  const isValid = signature === REGION_SIGNATURE && entry_count <= MAX_ENTRIES &&
    checksum === crc32c(buffer.bytes, REGION_TABLE.offsets.checksum);
  return isValid ? buffer : undefined;
}

function entriesOf({ view }: IoBuffer, file: ImageFile): NamedArea[] {
  const { entry_count } = REGION_TABLE.read(view, 0);
  return Array.from({ length: entry_count }, (_, index) => {
    const at = REGION_TABLE.sizeBytes + index * REGION_ENTRY.sizeBytes;
    return areaOf(REGION_ENTRY.read(view, at), file);
  });
}

function areaOf(fields: ReturnType<typeof REGION_ENTRY.read>, { path }: ImageFile): NamedArea {
  const { file_offset, length: lengthBytes } = fields;
  const guid = guidText(fields.guid) ?? "of zeros";
  const isKnown = Object.values(Region).some((known) => known === guid);
  if (!isKnown && (fields.required & 1) !== 0) throw unsupported(path, `the region ${guid}`);
  const hostOffset = Number(file_offset);
  const isSound = Number.isSafeInteger(hostOffset + lengthBytes) && hostOffset >= ALIGNMENT &&
    hostOffset % ALIGNMENT === 0 && lengthBytes > 0 && lengthBytes % ALIGNMENT === 0;
  if (isSound) return { guid, hostOffset, lengthBytes };
  throw damaged(path, `the region ${guid} cannot be where it is said to be`, hostOffset);
}

function refuseOverlaps(areas: readonly NamedArea[], { path }: ImageFile): void {
  const sorted = areas.toSorted((one, other) => one.hostOffset - other.hostOffset);
  for (const [index, { hostOffset, lengthBytes }] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next === undefined || hostOffset + lengthBytes <= next.hostOffset) continue;
    throw damaged(path, "regions overlap", next.hostOffset);
  }
}

function areaNamed(name: string, areas: readonly NamedArea[], { path }: ImageFile): Area {
  const found = areas.filter(({ guid }) => guid === name);
  const [area] = found;
  if (area !== undefined && found.length === 1) return area;
  throw damaged(path, `there are ${found.length} regions ${name}`, REGION_TABLE_OFFSETS[0]);
}
