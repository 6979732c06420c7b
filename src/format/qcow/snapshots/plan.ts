/**
 * What the header is to say after a change of snapshots.
 *
 * @module
 */
import type { SnapshotChange } from "../../../image/snapshot_change.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import type { Header } from "../header_types.ts";
import { AUTOCLEAR_BITMAPS } from "../layout.ts";
import { BitmapDirectory } from "../write/bitmaps/directory.ts";
import {
  type NewTable,
  type PlacedSnapshot,
  placedSnapshots,
  tableWith,
  tableWithout,
} from "./new_table.ts";
import { noSnapshot, placeOfDisk } from "./read.ts";

/** The header, but for where the table of snapshots is to be. */
export interface PlannedChange {
  /** Which L1 table the disk's is to be a copy of, and how large the disk. */
  readonly header: Header;
  /** Undefined if the one that there is stays. */
  readonly table: NewTable | undefined;
  /** Whether a guest sees something else then. */
  readonly changesDisk: boolean;
}

/**
 * Plans a change of what `header` says.
 *
 * @throws {RangeError} if the image cannot have it so
 * @throws {ImageFormatError} if there is no such snapshot, or it is damaged
 */
export function planChange(
  file: ImageFile,
  header: Header,
  { action, name }: SnapshotChange,
): PlannedChange {
  if (header.hasDataFile) {
    throw new RangeError("an image with an external data file has no snapshots");
  }
  switch (action) {
    case "create": {
      const table = tableWith(file, header, { name, now: Date.now() });
      return { header, table, changesDisk: false };
    }
    case "delete": {
      const table = tableWithout(file, header, findNamed(file, header, name));
      return { header, table, changesDisk: false };
    }
    case "apply":
      return { header: appliedHeader(file, header, name), table: undefined, changesDisk: true };
  }
}

function appliedHeader(file: ImageFile, header: Header, wanted: string): Header {
  refuseBitmaps(file, header);
  const snapshot = findIdentified(file, header, wanted);
  const place = placeOfDisk(file, header, snapshot);
  if (place.l1Entries < place.neededEntries) {
    throw new RangeError("the snapshot's L1 table is too small for its disk");
  }
  if (header.version < 3 && place.sizeBytes !== header.sizeBytes) {
    throw new RangeError(
      "version 2 of the format cannot change the size, of an image that has snapshots",
    );
  }
  return {
    ...header,
    sizeBytes: place.sizeBytes,
    l1Offset: place.l1Offset,
    l1Entries: place.neededEntries,
    l1AllEntries: snapshot.l1Size,
  };
}

/** As qemu: they say what has been written to a disk, not what it has instead. */
function refuseBitmaps(file: ImageFile, { autoclear, clusterBytes }: Header): void {
  if ((autoclear & AUTOCLEAR_BITMAPS) === 0n) return;
  const entries = BitmapDirectory.read(file, clusterBytes)?.entries ?? [];
  if (entries.length > 0) throw new RangeError("it has bitmaps of what is written to the disk");
}

/** By identifier or else by name, as qemu applies one. */
function findIdentified(file: ImageFile, header: Header, wanted: string): PlacedSnapshot {
  const all = placedSnapshots(file, header);
  return all.find(({ info }) => info.id === wanted) ??
    all.find(({ info }) => info.name === wanted) ??
    noSnapshot(file, header, wanted);
}

/** By name or else by identifier: qemu deletes by name only. */
function findNamed(file: ImageFile, header: Header, wanted: string): PlacedSnapshot {
  const all = placedSnapshots(file, header);
  return all.find(({ info }) => info.name === wanted) ??
    all.find(({ info }) => info.id === wanted) ??
    noSnapshot(file, header, wanted);
}
