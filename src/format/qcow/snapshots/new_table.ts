/**
 * The table of snapshots as it is to be: entries that stay are kept byte by byte, whatever is in them.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header_types.ts";
import {
  MAX_SNAPSHOT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  SNAPSHOT,
  SNAPSHOT_ALIGNMENT_BYTES,
  SNAPSHOT_EXTRA,
} from "../layout.ts";
import { NO_ICOUNT, readSnapshots, type Snapshot } from "./read.ts";

/** qemu cuts longer ones off. */
const MAX_NAME_BYTES = 255;
const MILLISECONDS = 1000;
const NANOSECONDS_PER_MILLISECOND = 1_000_000;

/** A table that is not in the file yet. */
export interface NewTable {
  readonly entries: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A snapshot, and where its entry is in the table. */
export interface PlacedSnapshot extends Snapshot {
  readonly startOffset: number;
}

/**
 * All snapshots; throws as {@link readSnapshots}.
 */
export function placedSnapshots(file: ImageFile, { snapshots }: Header): PlacedSnapshot[] {
  let startOffset = snapshots.offset;
  return [...readSnapshots(file, snapshots)].map((snapshot) => {
    const placed = { ...snapshot, startOffset };
    startOffset = snapshot.endOffset;
    return placed;
  });
}

/**
 * The table with one more entry, for the disk as it is at the time `now`, in milliseconds since 1970.
 *
 * @throws {RangeError} if there cannot be one, or not of that name
 */
export function tableWith(
  file: ImageFile,
  header: Header,
  { name, now }: { readonly name: string; readonly now: number },
): NewTable {
  const present = placedSnapshots(file, header);
  if (present.length >= MAX_SNAPSHOTS) throw new RangeError("it has as many snapshots as it can");
  const entry = newEntry(header, { id: nextId(present), name: nameBytes(name), now });
  const old = tableBytes(file, header, present);
  if (old.length + entry.length > MAX_SNAPSHOT_TABLE_BYTES) {
    throw new RangeError("its table of snapshots is as long as it can be");
  }
  const bytes = new Uint8Array(old.length + entry.length);
  bytes.set(old);
  bytes.set(entry, old.length);
  return { entries: present.length + 1, bytes };
}

/** The table without one of its entries. */
export function tableWithout(
  file: ImageFile,
  header: Header,
  { startOffset, endOffset }: PlacedSnapshot,
): NewTable {
  const old = tableBytes(file, header, placedSnapshots(file, header));
  const bytes = new Uint8Array(old.length - (endOffset - startOffset));
  const { offset } = header.snapshots;
  bytes.set(old.subarray(0, startOffset - offset));
  bytes.set(old.subarray(endOffset - offset), startOffset - offset);
  return { entries: header.snapshots.entries - 1, bytes };
}

function tableBytes(
  file: ImageFile,
  { snapshots: { offset } }: Header,
  present: readonly PlacedSnapshot[],
): Uint8Array {
  const table = new IoBuffer((present.at(-1)?.endOffset ?? offset) - offset);
  // The last entry may end with the file, before its length is a multiple of 8.
  file.read(table, 0, offset, table.size);
  return table.bytes;
}

function nameBytes(name: string): Uint8Array {
  if (name === "") throw new RangeError("a snapshot has to have a name");
  const bytes = new TextEncoder().encode(name);
  if (bytes.length <= MAX_NAME_BYTES) return bytes;
  throw new RangeError(`the name of a snapshot has ${MAX_NAME_BYTES} bytes at most`);
}

/** As qemu: greater than all that there are, as far as those are numbers. */
function nextId(present: readonly Snapshot[]): Uint8Array {
  let greatest = 0n;
  for (const { info } of present) {
    const id = BigInt(/^\d{1,18}/.exec(info.id)?.[0] ?? 0);
    if (id > greatest) greatest = id;
  }
  return new TextEncoder().encode(`${greatest + 1n}`);
}

interface NewEntry {
  readonly id: Uint8Array;
  readonly name: Uint8Array;
  readonly now: number;
}

/** For the L1 table that the disk has now. */
function newEntry({ l1Offset, l1AllEntries, sizeBytes }: Header, parts: NewEntry): Uint8Array {
  const { id, name, now } = parts;
  const nameAt = SNAPSHOT.sizeBytes + SNAPSHOT_EXTRA.sizeBytes + id.length;
  const end = nameAt + name.length;
  const aligned = Math.ceil(end / SNAPSHOT_ALIGNMENT_BYTES) * SNAPSHOT_ALIGNMENT_BYTES;
  const bytes = new Uint8Array(aligned);
  const view = new DataView(bytes.buffer);
  SNAPSHOT.write(view, 0, {
    l1_table_offset: BigInt(l1Offset),
    l1_size: l1AllEntries,
    id_str_size: id.length,
    name_size: name.length,
    date_sec: Math.floor(now / MILLISECONDS),
    date_nsec: Math.floor(now % MILLISECONDS) * NANOSECONDS_PER_MILLISECOND,
    extra_data_size: SNAPSHOT_EXTRA.sizeBytes,
  });
  const extra = { vm_state_size_large: 0n, disk_size: BigInt(sizeBytes), icount: NO_ICOUNT };
  SNAPSHOT_EXTRA.write(view, SNAPSHOT.sizeBytes, extra);
  bytes.set(id, SNAPSHOT.sizeBytes + SNAPSHOT_EXTRA.sizeBytes);
  bytes.set(name, nameAt);
  return bytes;
}
