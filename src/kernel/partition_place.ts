/**
 * Where a partition lies, for kernels that do not know its table's kind (CONFIG_EFI_PARTITION,
 * CONFIG_MSDOS_PARTITION). Logical partitions of an MBR, from number 5 on, are left out.
 *
 * @module
 */
import {
  type Disk,
  gptEntries,
  isUsed,
  mbrEntries,
  type PartitionTable,
} from "./partition_tables.ts";

/** gpt_entry */
const GPT_ENTRY = { first: 32, last: 40, bytes: 48 } as const;
/** Types of MBR partitions that have others in them. */
const EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];

/** A part of a disk. */
export interface PartitionPlace {
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/** The place of a partition by its number, counted from 1; undefined if it is not in the table, or not on the disk. */
export function partitionPlace(
  disk: Disk,
  { kind, sectorBytes }: PartitionTable,
  number: number,
): PartitionPlace | undefined {
  const place = kind === "GPT"
    ? placeInGpt(gptEntries(disk.read, sectorBytes)[number - 1], sectorBytes)
    : placeInMbr(disk, sectorBytes, number);
  if (place === undefined || place.lengthBytes <= 0 || place.startBytes < sectorBytes) {
    return undefined;
  }
  return place.startBytes + place.lengthBytes <= disk.sizeBytes ? place : undefined;
}

function placeInGpt(
  entry: Uint8Array | undefined,
  sectorBytes: number,
): PartitionPlace | undefined {
  if (entry === undefined || entry.length < GPT_ENTRY.bytes || !isUsed(entry)) return undefined;
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const first = Number(view.getBigUint64(GPT_ENTRY.first, true));
  const last = Number(view.getBigUint64(GPT_ENTRY.last, true));
  return { startBytes: first * sectorBytes, lengthBytes: (last - first + 1) * sectorBytes };
}

function placeInMbr(
  { read }: Disk,
  sectorBytes: number,
  number: number,
): PartitionPlace | undefined {
  const entry = mbrEntries(read).find((candidate) => candidate.number === number);
  if (entry === undefined || EXTENDED.includes(entry.type)) return undefined;
  return { startBytes: entry.start * sectorBytes, lengthBytes: entry.length * sectorBytes };
}
