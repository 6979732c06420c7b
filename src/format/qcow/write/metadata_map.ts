/**
 * Where the metadata of an image are: no guest's byte may ever be written there.
 *
 * @module
 */
import { Attempt } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { luksArea } from "../encryption.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { L1Table, offsetInEntry } from "../l1.ts";
import { CryptMethod, TABLE_ENTRY_BYTES } from "../layout.ts";
import { readSnapshots } from "../snapshots/read.ts";
import { forEachBitmapArea } from "./bitmaps/bitmap_areas.ts";
import { ClusterSet } from "./cluster_set.ts";
import type { Refcounts } from "./refcounts.ts";

/** What all metadata may amount to: three times that of the largest disk with clusters of 512 bytes. */
const MAX_CLUSTERS = 16 * 1024 * 1024;
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** So much of snapshots' L1 tables is read: that of 4096 snapshots of 1 TiB with clusters of 64 KiB. */
const MAX_SNAPSHOT_L1_BYTES = 64 * 1024 * 1024;

/** Which clusters hold metadata. */
export interface Metadata {
  /** All of them, to be kept up to date. */
  readonly clusters: ClusterSet;
  /** L2 tables of snapshots, which the disk may use as well. */
  readonly snapshotTables: ClusterSet;
}

/**
 * The clusters that hold metadata of an image that is to be written: header, tables, refcount blocks,
 * bitmaps that are valid, and what snapshots have of their own. Their L2 tables are among them, as only
 * the COPIED flag of a damaged entry stands between them and a guest's bytes; of snapshots with more than
 * 64 MiB of L1 tables together, those of the last ones are not (qemu never looks at any).
 *
 * @throws {ImageFormatError} if two of them overlap, one is not in the file, or what all else hangs on
 *   counts as free
 * @throws {SystemError} if the file cannot be read
 */
export function findMetadata(file: ImageFile, header: Header, refcounts: Refcounts): Metadata {
  const { table } = refcounts;
  const map = new MetadataMap(file, header.clusterBytes);
  map.add("header", 0, 1);
  map.add("refcount table", table.offset, table.sizeBytes);
  for (let index = 0; index < table.entries; index++) {
    map.addCluster("refcount block", table.blockOffset(index));
  }
  addTables(map, file, header);
  addSnapshots(map, file, header);
  forEachBitmapArea(file, header, (...area) => map.add(...area));
  if (header.cryptMethod === CryptMethod.luks) {
    const { startBytes, sizeBytes } = luksArea(file, header);
    map.add("encryption header", startBytes, sizeBytes);
  }
  map.refuseUncounted("header", { hostOffset: 0, lengthBytes: 1, refcounts });
  const { offset: hostOffset, sizeBytes: lengthBytes } = table;
  map.refuseUncounted("refcount table", { hostOffset, lengthBytes, refcounts });
  const l1Bytes = header.l1AllEntries * TABLE_ENTRY_BYTES;
  const l1 = { hostOffset: header.l1Offset, lengthBytes: l1Bytes, refcounts };
  map.refuseUncounted("L1 table", l1);
  return map;
}

function addTables(map: MetadataMap, file: ImageFile, header: Header): void {
  const { l1Offset, l1AllEntries } = header;
  map.add("L1 table", l1Offset, l1AllEntries * TABLE_ENTRY_BYTES);
  const l1 = new L1Table(file, { l1Offset, l1Entries: l1AllEntries }, offsetInEntry);
  for (let index = 0; index < l1AllEntries; index++) {
    map.addTable(l1.tableOffset(index), l1.isOwn(index));
  }
}

function addSnapshots(map: MetadataMap, file: ImageFile, header: Header): void {
  const { offset, entries } = header.snapshots;
  if (entries === 0) return;
  let end = offset;
  let unreadBytes = MAX_SNAPSHOT_L1_BYTES;
  for (const { l1Offset, l1Size, endOffset } of readSnapshots(file, header.snapshots)) {
    const place = { l1Offset: Number(l1Offset), l1Entries: l1Size };
    map.add("snapshot's L1 table", place.l1Offset, l1Size * TABLE_ENTRY_BYTES);
    unreadBytes -= l1Size * TABLE_ENTRY_BYTES;
    if (unreadBytes >= 0) addSnapshotTables(map, new L1Table(file, place, offsetInEntry));
    end = endOffset;
  }
  map.add("snapshot table", offset, end - offset);
}

function addSnapshotTables(map: MetadataMap, l1: L1Table): void {
  for (let index = 0; index < l1.entries; index++) map.addSnapshotTable(l1.tableOffset(index));
}

/** A part of the file whose clusters have to count as used. */
interface CountedArea {
  readonly hostOffset: number;
  readonly lengthBytes: number;
  readonly refcounts: Refcounts;
}

class MetadataMap implements Metadata {
  readonly clusters = new ClusterSet();
  readonly snapshotTables = new ClusterSet();
  /** L2 tables, and those of them that are said to be used once. */
  readonly #tables = new ClusterSet();
  readonly #ownTables = new ClusterSet();
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  #count = 0;

  constructor(file: ImageFile, clusterBytes: number) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
  }

  /** One cluster at `hostOffset`, if that is not 0. */
  addCluster(what: string, hostOffset: number): void {
    if (hostOffset !== 0) this.add(what, hostOffset, this.#clusterBytes);
  }

  /** An L2 table of the disk, if `hostOffset` is not 0. */
  addTable(hostOffset: number, isOwn: boolean): void {
    if (hostOffset === 0) return;
    this.addCluster("L2 table", hostOffset);
    const cluster = hostOffset / this.#clusterBytes;
    this.#tables.add(cluster);
    if (isOwn) this.#ownTables.add(cluster);
  }

  /** One of a snapshot, which may share it with other snapshots, and with the disk. */
  addSnapshotTable(hostOffset: number): void {
    if (hostOffset === 0) return;
    const cluster = hostOffset / this.#clusterBytes;
    if (!Number.isInteger(cluster) || !this.#tables.has(cluster)) {
      this.addCluster("snapshot's L2 table", hostOffset);
      this.#tables.add(cluster);
    } else if (this.#ownTables.has(cluster)) {
      const message = `the L2 table at ${hex(hostOffset)} is a snapshot's, too`;
      throw damaged(this.#file.path, `${message}, but is marked as used once`, hostOffset);
    }
    this.snapshotTables.add(cluster);
  }

  add(what: string, hostOffset: number, lengthBytes: number): void {
    if (lengthBytes === 0) return;
    const at = hex(hostOffset);
    const { path, sizeBytes } = this.#file;
    if (hostOffset % this.#clusterBytes !== 0) {
      throw damaged(path, `the ${what} at ${at} is not aligned`, hostOffset);
    }
    if (hostOffset + lengthBytes > Math.ceil(sizeBytes / this.#clusterBytes) * this.#clusterBytes) {
      throw damaged(path, `the ${what} at ${at} is not in the file`, hostOffset);
    }
    const first = hostOffset / this.#clusterBytes;
    const end = (hostOffset + lengthBytes) / this.#clusterBytes;
    this.#takeRoom(end - first);
    for (let cluster = first; cluster < end; cluster++) {
      if (this.clusters.add(cluster)) continue;
      throw damaged(path, `the ${what} at ${at} overlaps other metadata`, hostOffset);
    }
  }

  #takeRoom(count: number): void {
    this.#count += count;
    if (this.#count <= MAX_CLUSTERS && this.clusters.memoryBytes <= MAX_MEMORY_BYTES) return;
    throw damaged(this.#file.path, "there are more metadata than can be watched");
  }

  /** @throws {ImageFormatError} if some cluster of metadata counts as free */
  refuseUncounted(what: string, { hostOffset, lengthBytes, refcounts }: CountedArea): void {
    const patient = new Attempt();
    const first = hostOffset / this.#clusterBytes;
    const end = (hostOffset + lengthBytes) / this.#clusterBytes;
    for (let cluster = first; cluster < end; cluster++) {
      if (refcounts.countOf(cluster, patient) > 0) continue;
      throw damaged(
        this.#file.path,
        `the ${what} at ${hex(hostOffset)} counts as free`,
        hostOffset,
      );
    }
  }
}
