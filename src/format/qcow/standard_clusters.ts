/**
 * Standard L2 entries: one for each cluster.
 *
 * @module
 */
import type { Mapping } from "../../image/mapping.ts";
import type { Header } from "./header_types.ts";
import { Cluster, EntryDecoder, type L2Slices } from "./l2.ts";
import { TABLE_ENTRY_BYTES } from "./layout.ts";
import type { Places } from "./places.ts";

/** What reads the entries of L2 slices. */
export interface ClusterMap {
  /**
   * As {@link Image.map}, with the slice that describes `guestOffset` at position `slice` of the
   * cached ones.
   *
   * @throws {ImageFormatError} if the entry is not valid
   */
  map(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void;
}

/** Reads standard entries, joining those that continue each other. */
export class StandardClusters implements ClusterMap {
  readonly #slices: L2Slices;
  readonly #places: Places;
  readonly #entries: EntryDecoder;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;

  constructor(header: Header, slices: L2Slices, places: Places) {
    this.#slices = slices;
    this.#places = places;
    this.#entries = new EntryDecoder(header);
    this.#clusterBytes = header.clusterBytes;
    this.#clustersPerByte = 1 / header.clusterBytes;
  }

  map(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = Math.floor(guestOffset * this.#clustersPerByte) & (this.#slices.entries - 1);
    const position = slice + index * TABLE_ENTRY_BYTES;
    const high = this.#slices.view.getUint32(position);
    const low = this.#slices.view.getUint32(position + 4);
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const clusters = Math.min(
      Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte),
      this.#slices.entries - index,
    );
    const kind = this.#entries.kindOf(high, low);
    switch (kind) {
      case Cluster.Unallocated:
      case Cluster.Zero: {
        const count = this.#countEmpty(position, clusters, kind);
        const runBytes = this.#runBytes(count, inCluster, lengthBytes);
        if (kind === Cluster.Zero) return mapping.setZero(runBytes);
        return this.#places.setUnallocated(guestOffset, runBytes, mapping);
      }
      case Cluster.Normal: {
        const hostOffset = this.#entries.hostOffset(high, low);
        const count = this.#countContiguous(position, clusters, hostOffset);
        const runBytes = this.#runBytes(count, inCluster, lengthBytes);
        return this.#places.setStored(guestOffset, hostOffset + inCluster, runBytes, mapping);
      }
      case Cluster.Compressed: {
        const hostOffset = this.#entries.compressedOffset(high, low);
        const hostBytes = this.#entries.compressedBytes(high, low);
        this.#places.setCompressed(hostOffset, hostBytes, mapping);
        return this.#places.setCluster(guestOffset, lengthBytes, mapping);
      }
      default:
        throw this.#places.damagedEntry(guestOffset, this.#entries.hostOffset(high, low));
    }
  }

  #runBytes(clusters: number, inCluster: number, lengthBytes: number): number {
    return Math.min(clusters * this.#clusterBytes - inCluster, lengthBytes);
  }

  #countEmpty(position: number, clusters: number, kind: Cluster): number {
    const view = this.#slices.view;
    let count = 1;
    for (; count < clusters; count++) {
      const at = position + count * TABLE_ENTRY_BYTES;
      const next = this.#entries.kindOf(view.getUint32(at), view.getUint32(at + 4));
      if (next !== kind) break;
    }
    return count;
  }

  #countContiguous(position: number, clusters: number, hostOffset: number): number {
    const view = this.#slices.view;
    let count = 1;
    for (; count < clusters; count++) {
      const at = position + count * TABLE_ENTRY_BYTES;
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (this.#entries.kindOf(high, low) !== Cluster.Normal) break;
      if (this.#entries.hostOffset(high, low) !== hostOffset + count * this.#clusterBytes) break;
    }
    return count;
  }
}
