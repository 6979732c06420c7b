/**
 * Internal snapshots: other L1 tables over the same clusters (specification, "Snapshots").
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import type { ImageFormatError } from "../../../image/errors.ts";
import { exact, servedSize } from "../../../image/exact.ts";
import type { SnapshotInfo } from "../../../image/info.ts";
import { IoBuffer, textOf } from "../../../sys/memory.ts";
import { damaged, FORMAT, hex } from "../errors.ts";
import type { Header, SnapshotTable } from "../header_types.ts";
import {
  MAX_L1_BYTES,
  MAX_SNAPSHOT_EXTRA_BYTES,
  MAX_SNAPSHOT_TABLE_BYTES,
  SECTOR_BYTES,
  SNAPSHOT,
  SNAPSHOT_ALIGNMENT_BYTES,
  SNAPSHOT_EXTRA,
  SNAPSHOT_EXTRA_FIELD_BYTES,
  TABLE_ENTRY_BYTES,
} from "../layout.ts";

/** A snapshot, and where its L1 table is. */
export interface Snapshot {
  readonly info: SnapshotInfo;
  readonly l1Offset: bigint;
  readonly l1Size: number;
  /** Size of its disk in bytes; undefined where that was not recorded. */
  readonly diskBytes: bigint | undefined;
  /** Size of what follows the fixed fields of its entry, but for the texts. */
  readonly extraBytes: number;
  /** Where its entry in the table ends: a multiple of 8 bytes. */
  readonly endOffset: number;
}

/** How many snapshots an error names at most, and how much of a name it shows. */
const MAX_LISTED = 20;
const MAX_SHOWN_CHARACTERS = 64;
/** What is taken by a snapshot that is listed, apart from its texts. */
const LISTED_BYTES = 1024;
const CHARACTER_BYTES = 2;
const NANOSECONDS = 1_000_000_000n;
/** What qemu stores where it counted no instructions. */
export const NO_ICOUNT = 2n ** 64n - 1n;

/**
 * The header as it is for the snapshot that `wanted` names, by its identifier or else by its name.
 *
 * @throws {ImageFormatError} if there is no such snapshot, or its L1 table cannot be one
 * @throws {SystemError} if the file cannot be read
 */
export function headerOfSnapshot(file: ImageFile, header: Header, wanted: string): Header {
  const { found, others } = search(readSnapshots(file, header.snapshots), wanted);
  if (found === undefined) throw absent(file, wanted, others);
  const { sizeBytes, l1Offset, l1Entries, neededEntries } = placeOfDisk(file, header, found);
  // one that is too small describes nothing past its end, as in qemu
  return { ...header, sizeBytes, l1Offset, l1Entries: Math.min(l1Entries, neededEntries) };
}

/** What a snapshot's disk is like. */
export interface SnapshotDisk {
  /** Whole sectors. */
  readonly sizeBytes: number;
  readonly l1Offset: number;
  /** Entries of its L1 table, and how many its disk needs. */
  readonly l1Entries: number;
  readonly neededEntries: number;
}

/**
 * Where the disk of a snapshot is.
 *
 * @throws {ImageFormatError} if its L1 table cannot be one
 */
export function placeOfDisk(file: ImageFile, header: Header, snapshot: Snapshot): SnapshotDisk {
  checkL1(file, snapshot, header.clusterBytes);
  const sizeBytes = diskBytes(file, snapshot) ?? header.sizeBytes;
  const tableCovers = header.clusterBytes ** 2 / 2 ** header.l2EntryBits;
  return {
    sizeBytes,
    l1Offset: Number(snapshot.l1Offset),
    l1Entries: snapshot.l1Size,
    neededEntries: Math.ceil(sizeBytes / tableCovers),
  };
}

/** @throws {ImageFormatError} that says which snapshots there are instead of the one that is wanted */
export function noSnapshot(file: ImageFile, header: Header, wanted: string): never {
  throw absent(file, wanted, search(readSnapshots(file, header.snapshots), wanted).others);
}

function absent({ path }: ImageFile, wanted: string, others: string): ImageFormatError {
  return damaged(path, `there is no snapshot '${wanted}'; ${others}`);
}

/** Looks at every one, so that a damaged table is noticed; keeps none but the one that is wanted. */
function search(
  snapshots: Iterable<Snapshot>,
  wanted: string,
): { readonly found: Snapshot | undefined; readonly others: string } {
  const names: string[] = [];
  let count = 0;
  let identified: Snapshot | undefined;
  let named: Snapshot | undefined;
  for (const snapshot of snapshots) {
    const { id, name } = snapshot.info;
    if (id === wanted) identified ??= snapshot;
    if (name === wanted) named ??= snapshot;
    if (count++ < MAX_LISTED) names.push(`${shortened(id)} (${shortened(name)})`);
  }
  return { found: identified ?? named, others: listed(names, count) };
}

function listed(names: readonly string[], count: number): string {
  if (count === 0) return "the image has none";
  const rest = count > names.length ? `, and ${count - names.length} more` : "";
  return `the image has ${names.join(", ")}${rest}`;
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
}

function diskBytes(file: ImageFile, snapshot: Snapshot): number | undefined {
  const { diskBytes: recorded } = snapshot;
  if (recorded === undefined) return undefined;
  return servedSize(recorded - recorded % BigInt(SECTOR_BYTES), FORMAT, file.path);
}

function checkL1({ path, sizeBytes }: ImageFile, snapshot: Snapshot, clusterBytes: number): void {
  const { l1Offset, l1Size } = snapshot;
  const tableBytes = l1Size * TABLE_ENTRY_BYTES;
  if (tableBytes > MAX_L1_BYTES) throw damaged(path, "the snapshot's L1 table is too large");
  if (l1Offset % BigInt(clusterBytes) !== 0n) {
    throw damaged(path, `the snapshot's L1 table offset ${hex(l1Offset)} is not aligned`);
  }
  if (l1Offset + BigInt(tableBytes) > BigInt(sizeBytes)) {
    throw damaged(path, "the snapshot's L1 table lies outside the file");
  }
}

/**
 * What the snapshots of an image say of themselves.
 *
 * @throws as {@link readSnapshots}; {RangeError} if that takes more than `memory` has left
 */
export function listSnapshots(
  file: ImageFile,
  table: SnapshotTable,
  memory: MemoryLimit | undefined,
): SnapshotInfo[] {
  const list: SnapshotInfo[] = [];
  for (const { info } of readSnapshots(file, table)) {
    memory?.reserveMemory(LISTED_BYTES + CHARACTER_BYTES * (info.id.length + info.name.length));
    list.push(info);
  }
  return list;
}

/**
 * All snapshots, one after the other, in the table's order.
 *
 * @throws {ImageFormatError} if the table is damaged
 * @throws {SystemError} if the file cannot be read
 */
export function* readSnapshots(file: ImageFile, table: SnapshotTable): Generator<Snapshot> {
  let at = table.offset;
  for (let index = 0; index < table.entries; index++) {
    const fixed = SNAPSHOT.read(readPart({ file, table }, at, SNAPSHOT.sizeBytes).view, 0);
    const { extra_data_size, id_str_size, name_size } = fixed;
    if (extra_data_size > MAX_SNAPSHOT_EXTRA_BYTES) {
      throw damaged(file.path, "a snapshot has too much extra data", at);
    }
    const variableBytes = extra_data_size + id_str_size + name_size;
    const variable = readPart({ file, table }, at + SNAPSHOT.sizeBytes, variableBytes);
    const end = at + SNAPSHOT.sizeBytes + variableBytes;
    at = Math.ceil(end / SNAPSHOT_ALIGNMENT_BYTES) * SNAPSHOT_ALIGNMENT_BYTES;
    yield { ...snapshotOf(fixed, variable), endOffset: at };
  }
}

function readPart(
  { file, table }: { readonly file: ImageFile; readonly table: SnapshotTable },
  hostOffset: number,
  lengthBytes: number,
): IoBuffer {
  const end = hostOffset + lengthBytes;
  if (end > file.sizeBytes) {
    throw damaged(file.path, "the snapshot table lies outside the file", hostOffset);
  }
  if (end - table.offset > MAX_SNAPSHOT_TABLE_BYTES) {
    throw damaged(file.path, "the snapshot table is too large", table.offset);
  }
  const part = new IoBuffer(lengthBytes);
  file.read(part, 0, hostOffset, lengthBytes);
  return part;
}

function snapshotOf(
  fixed: ReturnType<typeof SNAPSHOT.read>,
  variable: IoBuffer,
): Omit<Snapshot, "endOffset"> {
  const { extra_data_size, id_str_size, name_size, vm_clock_nsec } = fixed;
  const extra = extraOf(variable.view, extra_data_size);
  const idEnd = extra_data_size + id_str_size;
  const { icount } = extra;
  const info: SnapshotInfo = {
    id: textOf(variable.bytes.subarray(extra_data_size, idEnd)),
    name: textOf(variable.bytes.subarray(idEnd, idEnd + name_size)),
    vmStateBytes: exact(extra.vm_state_size_large ?? BigInt(fixed.vm_state_size)),
    dateSeconds: fixed.date_sec,
    dateNanoseconds: fixed.date_nsec,
    vmClockSeconds: Number(vm_clock_nsec / NANOSECONDS),
    vmClockNanoseconds: Number(vm_clock_nsec % NANOSECONDS),
    ...(icount === undefined || icount === NO_ICOUNT ? {} : { icount: exact(icount) }),
  };
  return {
    info,
    l1Offset: fixed.l1_table_offset,
    l1Size: fixed.l1_size,
    diskBytes: extra.disk_size,
    extraBytes: extra_data_size,
  };
}

type Extra = Partial<ReturnType<typeof SNAPSHOT_EXTRA.read>>;

/** The extra data's fields, as far as its length reaches. */
function extraOf(view: DataView, lengthBytes: number): Extra {
  const fields = Object.entries(SNAPSHOT_EXTRA.offsets)
    .filter(([, offset]) => offset + SNAPSHOT_EXTRA_FIELD_BYTES <= lengthBytes)
    .map(([name, offset]) => [name, view.getBigUint64(offset)]);
  return Object.fromEntries(fields) as Extra;
}
