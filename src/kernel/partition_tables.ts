/**
 * Partition tables as evidence: whether a disk has one, and for which sector size it was made. Which
 * partitions it has is the kernel's affair.
 *
 *     byte      0        S                2 S
 *     GPT   ┌────────┬────────────────┬──────────────────────┐
 *           │  MBR   │ "EFI PART" ... │ entries ...          │   S: the sector size it was made for
 *           └────────┴────────────────┴──────────────────────┘
 *     MBR     446: four entries, 510: 0x55 0xaa
 *
 * (UEFI specification, chapter 5; block/partitions/{efi,msdos}.c.)
 *
 * @module
 */

/** Sector sizes that a table can be made for. */
const SECTOR_SIZES = [512, 1024, 2048, 4096] as const;

const MBR = { bytes: 512, entries: 446, count: 4, signature: 510 } as const;
const MBR_SIGNATURE = 0xaa55;
/** struct msdos_partition */
const MBR_ENTRY = { status: 0, type: 4, start: 8, length: 12, bytes: 16 } as const;
/** The status of an entry is one of these; where file systems begin, code or text is in its place. */
const STATUSES: readonly number[] = [0, 0x80];
/** Type of the only entry of an MBR before a GPT. */
const PROTECTIVE = 0xee;

/** gpt_header */
const GPT_HEADER = {
  signature: 0,
  entriesBlock: 72,
  count: 80,
  entryBytes: 84,
  bytes: 92,
} as const;
/** "EFI PART" as a little-endian number. */
const GPT_SIGNATURE = 0x5452415020494645n;
/** The type at the start of an entry is 0 if that is unused. */
const GPT_TYPE_BYTES = 16;
/** No table needs more; a damaged one could ask for anything. */
const MAX_ENTRIES_BYTES = 64 * 1024;

/** What is often found in partitions, at a fixed place from their start. */
const PARTITION_MARKS = [
  /** FAT, NTFS, exFAT, and the table in an extended partition */
  { at: 510, text: "\x55\xaa" },
  /** ext2 to ext4 */
  { at: 1080, text: "\x53\xef" },
  { at: 0, text: "XFSB" },
  { at: 0, text: "LUKS" },
  /** A physical volume of LVM */
  { at: 512, text: "LABELONE" },
  { at: 4086, text: "SWAPSPACE2" },
  /** Btrfs */
  { at: 65600, text: "_BHRfS_M" },
] as const;

/** Reads a part of a disk; short at its end. */
export type ReadDisk = (offset: number, lengthBytes: number) => Uint8Array;

/** The disk that a table is looked for on. */
export interface Disk {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly read: ReadDisk;
}

/** A table with at least one partition. */
export interface PartitionTable {
  readonly kind: "GPT" | "MBR";
  /** The sector size it was made for. */
  readonly sectorBytes: number;
}

/** The partition table of a disk, undefined if it has none, or one without partitions. */
export function findPartitionTable(disk: Disk): PartitionTable | undefined {
  const entries = mbrEntries(disk.read);
  if (entries.length === 0) return undefined;
  if (!entries.some(({ type }) => type === PROTECTIVE)) {
    return { kind: "MBR", sectorBytes: mbrSectorBytes(entries, disk) };
  }
  const sectorBytes = sizesToTry(disk).find((bytes) => gptEntries(disk.read, bytes).some(isUsed));
  return sectorBytes === undefined ? undefined : { kind: "GPT", sectorBytes };
}

/** The disk's own first. */
function sizesToTry({ sectorBytes }: Disk): number[] {
  return [sectorBytes, ...SECTOR_SIZES.filter((bytes) => bytes !== sectorBytes)];
}

interface MbrEntry {
  /** From 1 on, as the kernel counts. */
  readonly number: number;
  readonly type: number;
  /** In sectors. */
  readonly start: number;
  readonly length: number;
}

/** The entries in use, of the first sector of a disk; none if it is no table. */
export function mbrEntries(read: ReadDisk): MbrEntry[] {
  const sector = read(0, MBR.bytes);
  if (sector.length < MBR.bytes) return [];
  const view = viewOf(sector);
  if (view.getUint16(MBR.signature, true) !== MBR_SIGNATURE) return [];
  const places = Array.from({ length: MBR.count }, (_, i) => MBR.entries + i * MBR_ENTRY.bytes);
  if (!places.every((at) => STATUSES.includes(view.getUint8(at + MBR_ENTRY.status)))) return [];
  return places.map((at, index) => ({
    number: index + 1,
    type: view.getUint8(at + MBR_ENTRY.type),
    start: view.getUint32(at + MBR_ENTRY.start, true),
    length: view.getUint32(at + MBR_ENTRY.length, true),
  })).filter(({ type, length }) => type !== 0 && length !== 0);
}

/**
 * An MBR does not say it. Where no partition begins on the disk, another size is meant; and so it is where
 * only with that a partition begins with something known.
 */
function mbrSectorBytes(entries: readonly MbrEntry[], disk: Disk): number {
  const begins = ({ start }: MbrEntry, bytes: number): boolean => start * bytes < disk.sizeBytes;
  const fits = ({ start, length }: MbrEntry, bytes: number): boolean =>
    (start + length) * bytes <= disk.sizeBytes;
  const shows = (bytes: number): boolean =>
    entries.some(({ start }) => beginsPartition(disk.read, start * bytes));
  const fitting = SECTOR_SIZES.filter((bytes) => entries.every((entry) => fits(entry, bytes)));
  if (!entries.some((entry) => begins(entry, disk.sectorBytes))) {
    return fitting.find(shows) ?? fitting[0] ?? disk.sectorBytes;
  }
  if (fitting.length < 2 || shows(disk.sectorBytes)) return disk.sectorBytes;
  return fitting.find(shows) ?? disk.sectorBytes;
}

/** Whether something is there that partitions begin with. */
function beginsPartition(read: ReadDisk, offset: number): boolean {
  return PARTITION_MARKS.some(({ at, text }) =>
    String.fromCharCode(...read(offset + at, text.length)) === text
  );
}

/** All entries of a GPT for sectors of that size, used or not; none if it is no table. */
export function gptEntries(read: ReadDisk, sectorBytes: number): Uint8Array[] {
  const header = read(sectorBytes, GPT_HEADER.bytes);
  if (header.length < GPT_HEADER.bytes) return [];
  const view = viewOf(header);
  if (view.getBigUint64(GPT_HEADER.signature, true) !== GPT_SIGNATURE) return [];
  const entryBytes = view.getUint32(GPT_HEADER.entryBytes, true);
  if (entryBytes < GPT_TYPE_BYTES) return [];
  const totalBytes = Math.min(
    view.getUint32(GPT_HEADER.count, true) * entryBytes,
    MAX_ENTRIES_BYTES,
  );
  const at = Number(view.getBigUint64(GPT_HEADER.entriesBlock, true)) * sectorBytes;
  if (!Number.isSafeInteger(at + totalBytes)) return [];
  return piecesOf(read(at, totalBytes), entryBytes);
}

function piecesOf(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const count = Math.ceil((bytes.length - GPT_TYPE_BYTES + 1) / pieceBytes);
  return Array.from(
    { length: Math.max(count, 0) },
    (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
  );
}

/** Whether an entry of a GPT is of a partition. */
export function isUsed(entry: Uint8Array): boolean {
  return entry.subarray(0, GPT_TYPE_BYTES).some((byte) => byte !== 0);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
