/**
 * L2 entries of version 1: the place of a cluster, or of its compressed bytes.
 *
 * @module
 */
import type { Mapping } from "../../image/mapping.ts";
import type { L2Slices } from "../qcow/l2.ts";
import type { Places } from "../qcow/places.ts";
import type { ClusterMap } from "../qcow/standard_clusters.ts";
import type { Header } from "./header.ts";
import { L2_COMPRESSED_HIGH, SECTOR_BYTES, TABLE_ENTRY_BYTES } from "./layout.ts";

/** What lies past it cannot be told exactly: no file is that long. */
const MAX_OFFSET_HIGH = 2 ** 20;

/** Reads the entries, joining those that continue each other. */
export class Version1Clusters implements ClusterMap {
  readonly #slices: L2Slices;
  readonly #places: Places;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;
  /** Compressed: where the length begins in the high half, and which bits of that are the offset's. */
  readonly #lengthShift: number;
  readonly #offsetMask: number;

  constructor(header: Header, slices: L2Slices, places: Places) {
    this.#slices = slices;
    this.#places = places;
    this.#clusterBytes = header.clusterBytes;
    this.#clustersPerByte = 1 / header.clusterBytes;
    this.#lengthShift = 63 - header.clusterBits - 32;
    this.#offsetMask = 2 ** this.#lengthShift - 1;
  }

  map(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const view = this.#slices.view;
    const index = Math.floor(guestOffset * this.#clustersPerByte) & (this.#slices.entries - 1);
    const position = slice + index * TABLE_ENTRY_BYTES;
    const high = view.getUint32(position);
    const low = view.getUint32(position + 4);
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    if ((high & L2_COMPRESSED_HIGH) !== 0) {
      this.#setCompressed(high, low, mapping);
      return this.#places.setCluster(guestOffset, lengthBytes, mapping);
    }
    const hostOffset = high * 2 ** 32 + low;
    if (high >= MAX_OFFSET_HIGH || low % SECTOR_BYTES !== 0) {
      throw this.#places.damagedEntry(guestOffset, hostOffset);
    }
    const wanted = Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte);
    const count = this.#countRun(
      position,
      Math.min(wanted, this.#slices.entries - index),
      hostOffset,
    );
    const runBytes = Math.min(count * this.#clusterBytes - inCluster, lengthBytes);
    if (hostOffset === 0) return this.#places.setUnallocated(guestOffset, runBytes, mapping);
    this.#places.setStored(guestOffset, hostOffset + inCluster, runBytes, mapping);
  }

  #setCompressed(high: number, low: number, mapping: Mapping): void {
    const hostOffset = (high & this.#offsetMask) * 2 ** 32 + low;
    const hostBytes = (high >>> this.#lengthShift) & (this.#clusterBytes - 1);
    this.#places.setCompressed(hostOffset, hostBytes, mapping);
  }

  /** How many clusters follow each other in the file, or are not allocated. */
  #countRun(position: number, clusters: number, hostOffset: number): number {
    const view = this.#slices.view;
    const stepBytes = hostOffset === 0 ? 0 : this.#clusterBytes;
    let count = 1;
    for (; count < clusters; count++) {
      const at = position + count * TABLE_ENTRY_BYTES;
      const next = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
      if (next !== hostOffset + count * stepBytes) break;
    }
    return count;
  }
}
