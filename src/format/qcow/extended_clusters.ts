/**
 * Extended L2 entries (specification, "Extended L2 Entries"): clusters of 32 subclusters, each of
 * which can be allocated or zero by itself.
 *
 * @module
 */
import type { Mapping } from "../../image/mapping.ts";
import type { Header } from "./header_types.ts";
import { Cluster, EntryDecoder, type L2Slices } from "./l2.ts";
import { EXTENDED_ENTRY_BYTES, SUBCLUSTERS } from "./layout.ts";
import type { Places } from "./places.ts";
import type { ClusterMap } from "./standard_clusters.ts";

/** Where the halves of the bitmap are in an entry: first the zero bits, then the allocation bits. */
const ZERO_BITS_OFFSET = 8;
const ALLOCATED_BITS_OFFSET = 12;

/** Reads extended entries, joining the subclusters that continue each other. */
export class ExtendedClusters implements ClusterMap {
  readonly #slices: L2Slices;
  readonly #places: Places;
  readonly #entries: EntryDecoder;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;
  readonly #subclusterBytes: number;

  constructor(header: Header, slices: L2Slices, places: Places) {
    this.#slices = slices;
    this.#places = places;
    this.#entries = new EntryDecoder(header);
    this.#clusterBytes = header.clusterBytes;
    this.#clustersPerByte = 1 / header.clusterBytes;
    this.#subclusterBytes = header.clusterBytes / SUBCLUSTERS;
  }

  map(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = Math.floor(guestOffset * this.#clustersPerByte) & (this.#slices.entries - 1);
    const position = slice + index * EXTENDED_ENTRY_BYTES;
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const first = Math.floor(inCluster / this.#subclusterBytes);
    const kind = this.#kindAt(position, first);
    if (kind === Cluster.Compressed) {
      this.#setCompressed(position, mapping);
      return this.#places.setCluster(guestOffset, lengthBytes, mapping);
    }
    const hostOffset = this.#hostOffsetAt(position);
    if (kind === Cluster.Damaged) throw this.#places.damagedEntry(guestOffset, hostOffset);
    const sliceEnd = slice + this.#slices.entries * EXTENDED_ENTRY_BYTES;
    const wanted = Math.ceil((inCluster + lengthBytes) / this.#subclusterBytes);
    const end = this.#runEnd(position, sliceEnd, kind, first, wanted);
    const runBytes = Math.min(end * this.#subclusterBytes - inCluster, lengthBytes);
    if (kind === Cluster.Normal) {
      this.#places.setStored(guestOffset, hostOffset + inCluster, runBytes, mapping);
    } else if (kind === Cluster.Zero) mapping.setZero(runBytes);
    else this.#places.setUnallocated(guestOffset, runBytes, mapping);
  }

  #setCompressed(position: number, mapping: Mapping): void {
    const high = this.#slices.view.getUint32(position);
    const low = this.#slices.view.getUint32(position + 4);
    const hostOffset = this.#entries.compressedOffset(high, low);
    const hostBytes = this.#entries.compressedBytes(high, low);
    this.#places.setCompressed(hostOffset, hostBytes, mapping);
  }

  /**
   * What a subcluster of the entry at `position` is. As in qemu, the whole entry has to be valid,
   * and the bitmap of a compressed cluster means nothing.
   */
  #kindAt(position: number, subcluster: number): Cluster {
    const view = this.#slices.view;
    const kind = this.#entries.kindOf(view.getUint32(position), view.getUint32(position + 4));
    if (kind >= Cluster.Compressed) return kind;
    const zero = view.getUint32(position + ZERO_BITS_OFFSET);
    const allocated = view.getUint32(position + ALLOCATED_BITS_OFFSET);
    const impossible = kind === Cluster.Normal ? zero & allocated : allocated;
    if (impossible !== 0) return Cluster.Damaged;
    if ((zero >>> subcluster & 1) !== 0) return Cluster.Zero;
    return (allocated >>> subcluster & 1) !== 0 ? Cluster.Normal : Cluster.Unallocated;
  }

  #hostOffsetAt(position: number): number {
    const view = this.#slices.view;
    return this.#entries.hostOffset(view.getUint32(position), view.getUint32(position + 4));
  }

  /**
   * Where the run of subclusters ends that begins with subcluster `first` of the entry at
   * `position`: counted from the entry's first one on, at least as far as `wanted` if it goes there.
   */
  #runEnd(
    position: number,
    sliceEnd: number,
    kind: Cluster,
    first: number,
    wanted: number,
  ): number {
    let end = this.#endInEntry(position, kind, first);
    let at = position;
    let hostOffset = this.#hostOffsetAt(position);
    for (let whole = SUBCLUSTERS; end === whole && end < wanted; whole += SUBCLUSTERS) {
      at += EXTENDED_ENTRY_BYTES;
      hostOffset += this.#clusterBytes;
      if (at === sliceEnd || this.#kindAt(at, 0) !== kind) break;
      if (kind === Cluster.Normal && this.#hostOffsetAt(at) !== hostOffset) break;
      end += this.#endInEntry(at, kind, 0);
    }
    return end;
  }

  /** The first subcluster after `first` that is not of its kind, or their number. */
  #endInEntry(position: number, kind: Cluster, first: number): number {
    const others = this.#othersThan(kind, position) >>> first;
    // the lowest bit that is set, isolated
    return others === 0 ? SUBCLUSTERS : first + 31 - Math.clz32(others & -others);
  }

  /** A bit for each subcluster of a valid entry that is not of `kind`. */
  #othersThan(kind: Cluster, position: number): number {
    const allocated = this.#slices.view.getUint32(position + ALLOCATED_BITS_OFFSET);
    if (kind === Cluster.Normal) return ~allocated;
    const zero = this.#slices.view.getUint32(position + ZERO_BITS_OFFSET);
    return kind === Cluster.Zero ? ~zero : allocated | zero;
  }
}
