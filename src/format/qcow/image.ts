/**
 * An open QCOW2 image, read-only.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { ImageFile } from "../../image/image_file.ts";
import { Extent, type Mapping } from "../../image/mapping.ts";
import { libc } from "../../sys/libc.ts";
import type { IoBuffer } from "../../sys/memory.ts";
import { CompressedClusters } from "../compressed_clusters.ts";
import { compressedLayout } from "./compression.ts";
import { damaged, hex } from "./errors.ts";
import { type Header, readHeader } from "./header.ts";
import { readL1 } from "./l1.ts";
import { Cluster, EntryDecoder, L2Slices } from "./l2.ts";
import { TABLE_ENTRY_BYTES } from "./layout.ts";

/**
 * Translates guest offsets by L1 and L2 table. Sizes are powers of two, so dividing is multiplying
 * by an exact fraction, and `&` takes an integer of any size modulo 2^32.
 */
export class QcowImage implements Image {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly filesToSync: readonly ImageFile[] = [];

  readonly #file: ImageFile;
  readonly #libc = libc();
  readonly #l1: Float64Array;
  readonly #slices: L2Slices;
  readonly #entries: EntryDecoder;
  readonly #compressed: CompressedClusters;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;

  /** @throws as {@link readHeader} */
  constructor(file: ImageFile, header: Header = readHeader(file)) {
    this.sizeBytes = header.sizeBytes;
    this.#file = file;
    this.#l1 = readL1(file, header);
    this.#slices = new L2Slices(file, header);
    this.#entries = new EntryDecoder(header);
    this.#compressed = new CompressedClusters(file, compressedLayout(header));
    this.#clusterBytes = header.clusterBytes;
    this.#clustersPerByte = 1 / header.clusterBytes;
    this.#slicesPerByte = this.#clustersPerByte / this.#slices.entries;
    this.#tablesPerByte = TABLE_ENTRY_BYTES / header.clusterBytes ** 2;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const slice = Math.floor(guestOffset * this.#slicesPerByte);
    let position = this.#slices.find(slice);
    if (position < 0) {
      const table = Math.floor(guestOffset * this.#tablesPerByte);
      const tableOffset = this.#l1[table] ?? 0;
      if (tableOffset === 0) return this.#mapWithoutTable(table, guestOffset, lengthBytes, mapping);
      position = this.#slices.load(slice, tableOffset, mapping);
      if (position < 0) return;
    }
    this.#mapInSlice(position, guestOffset, lengthBytes, mapping);
  }

  /** Nothing is allocated up to the next guest offset that has an L2 table. */
  #mapWithoutTable(
    table: number,
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const end = guestOffset + lengthBytes;
    let next = table + 1;
    while (next < end * this.#tablesPerByte && this.#l1[next] === 0) next++;
    mapping.setZero(Math.min(next / this.#tablesPerByte, end) - guestOffset);
  }

  #mapInSlice(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = Math.floor(guestOffset * this.#clustersPerByte) & (this.#slices.entries - 1);
    const position = slice + index * TABLE_ENTRY_BYTES;
    const high = this.#slices.view.getUint32(position);
    const low = this.#slices.view.getUint32(position + 4);
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const clusters = Math.min(
      Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte),
      this.#slices.entries - index,
    );
    switch (this.#entries.kindOf(high, low)) {
      case Cluster.Unallocated:
      case Cluster.Zero:
        mapping.setZero(
          this.#runBytes(this.#countZero(position, clusters), inCluster, lengthBytes),
        );
        return;
      case Cluster.Normal: {
        const hostOffset = this.#entries.hostOffset(high, low);
        const count = this.#countContiguous(position, clusters, hostOffset);
        const runBytes = this.#runBytes(count, inCluster, lengthBytes);
        return this.#mapData(hostOffset + inCluster, runBytes, mapping);
      }
      case Cluster.Compressed:
        return this.#mapCompressed(high, low, this.#runBytes(1, inCluster, lengthBytes), mapping);
      default:
        throw this.#damagedEntry(guestOffset, high, low);
    }
  }

  #runBytes(clusters: number, inCluster: number, lengthBytes: number): number {
    return Math.min(clusters * this.#clusterBytes - inCluster, lengthBytes);
  }

  #countZero(position: number, clusters: number): number {
    const view = this.#slices.view;
    let count = 1;
    for (; count < clusters; count++) {
      const at = position + count * TABLE_ENTRY_BYTES;
      if (this.#entries.kindOf(view.getUint32(at), view.getUint32(at + 4)) > Cluster.Zero) break;
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

  /** What lies past the end of the file reads as zeros, as in qemu: nobody has to read there. */
  #mapData(hostOffset: number, lengthBytes: number, mapping: Mapping): void {
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) return mapping.setZero(lengthBytes);
    mapping.setData(this.#file, hostOffset, Math.min(lengthBytes, inFile));
  }

  #mapCompressed(high: number, low: number, lengthBytes: number, mapping: Mapping): void {
    const hostOffset = this.#entries.compressedOffset(high, low);
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) {
      const message = `the compressed cluster at ${hex(hostOffset)} is not in the file`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    const hostBytes = Math.min(this.#entries.compressedBytes(high, low), inFile);
    mapping.setSpecial(this.#file, hostOffset, hostBytes, lengthBytes);
  }

  #damagedEntry(guestOffset: number, high: number, low: number): Error {
    const hostOffset = this.#entries.hostOffset(high, low);
    const message = `the L2 entry for guest offset ${hex(guestOffset)} is not valid`;
    return damaged(this.#file.path, message, hostOffset);
  }

  readSpecial(
    guestOffset: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    const cluster = Math.floor(guestOffset * this.#clustersPerByte);
    let address = this.#compressed.find(cluster);
    if (address < 0) {
      this.map(guestOffset, lengthBytes, mapping);
      if (mapping.kind === Extent.Blocked) return false;
      address = this.#compressed.load(cluster, mapping);
      if (address < 0) return false;
    }
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    this.#libc.memcpy(target.address + position, address + inCluster, lengthBytes);
    return true;
  }

  [Symbol.dispose](): void {}
}
