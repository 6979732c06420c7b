/**
 * Where the metadata of an image are: no guest's byte may ever be written there.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { luksArea } from "../encryption.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { L1Table, offsetInEntry } from "../l1.ts";
import { CryptMethod, TABLE_ENTRY_BYTES } from "../layout.ts";
import { readSnapshots } from "../snapshots.ts";
import { ClusterSet } from "./cluster_set.ts";
import type { RefcountTable } from "./refcount_table.ts";

/**
 * The clusters that hold metadata of an image that is to be written: header, tables, refcount blocks,
 * and what snapshots have of their own.
 *
 * @throws {ImageFormatError} if two of them overlap, or one is not in the file
 * @throws {SystemError} if the file cannot be read
 */
export function findMetadata(file: ImageFile, header: Header, table: RefcountTable): ClusterSet {
  const map = new MetadataMap(file, header.clusterBytes);
  map.add("header", 0, 1);
  map.add("refcount table", table.offset, table.sizeBytes);
  for (let index = 0; index < table.entries; index++) {
    map.addCluster("refcount block", table.blockOffset(index));
  }
  addTables(map, file, header);
  addSnapshots(map, file, header);
  if (header.cryptMethod === CryptMethod.luks) {
    const { startBytes, sizeBytes } = luksArea(file, header);
    map.add("encryption header", startBytes, sizeBytes);
  }
  return map.clusters;
}

function addTables(map: MetadataMap, file: ImageFile, header: Header): void {
  const { l1Offset, l1AllEntries } = header;
  map.add("L1 table", l1Offset, l1AllEntries * TABLE_ENTRY_BYTES);
  const l1 = new L1Table(file, { l1Offset, l1Entries: l1AllEntries }, offsetInEntry);
  for (let index = 0; index < l1AllEntries; index++) {
    map.addCluster("L2 table", l1.tableOffset(index));
  }
}

function addSnapshots(map: MetadataMap, file: ImageFile, header: Header): void {
  for (const { l1Offset, l1Size } of readSnapshots(file, header.snapshots)) {
    map.add("snapshot's L1 table", Number(l1Offset), l1Size * TABLE_ENTRY_BYTES);
  }
  const { entries, offset } = header.snapshots;
  if (entries === 0) return;
  // How long it is follows from its entries alone; where it begins is enough to find it overlapped.
  map.add("snapshot table", offset, 1);
}

class MetadataMap {
  readonly clusters = new ClusterSet();
  readonly #file: ImageFile;
  readonly #clusterBytes: number;

  constructor(file: ImageFile, clusterBytes: number) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
  }

  /** One cluster at `hostOffset`, if that is not 0. */
  addCluster(what: string, hostOffset: number): void {
    if (hostOffset !== 0) this.add(what, hostOffset, this.#clusterBytes);
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
    for (let cluster = first; cluster < end; cluster++) {
      if (this.clusters.add(cluster)) continue;
      throw damaged(path, `the ${what} at ${at} overlaps other metadata`, hostOffset);
    }
  }
}
