/**
 * An open QCOW image of any version, read-only.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { ImageFormatError } from "../../image/errors.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { Extent, Mapping } from "../../image/mapping.ts";
import { SystemError } from "../../sys/errno.ts";
import { libc } from "../../sys/libc.ts";
import type { IoBuffer } from "../../sys/memory.ts";
import type { CompressedClusters } from "../compressed_clusters.ts";
import type { Encryption } from "./encryption.ts";
import type { L2Slices } from "./l2.ts";
import { SECTOR_BYTES } from "./layout.ts";
import type { Places } from "./places.ts";
import { isPreallocated } from "./preallocation.ts";
import type { ClusterMap } from "./standard_clusters.ts";

/** What an image consists of, whatever its version. */
export interface ImageParts {
  readonly sizeBytes: number;
  readonly clusterBytes: number;
  /** Guest bytes that one L2 table describes: a power of two. */
  readonly tableCoversBytes: number;
  readonly warnings: readonly string[];
  /** Where the L2 tables are, 0 for none. */
  readonly l1: Float64Array;
  readonly slices: L2Slices;
  readonly places: Places;
  readonly clusters: ClusterMap;
  readonly compressed: CompressedClusters;
  readonly encryption: Encryption | undefined;
  /** Whether qemu preallocated it; undefined if that is not known until somebody asks. */
  readonly isPreallocated: boolean | undefined;
}

/**
 * Translates guest offsets by L1 and L2 table. Sizes are powers of two, so dividing is multiplying
 * by an exact fraction, and `&` takes an integer of any size modulo 2^32.
 */
export class QcowImage implements Image {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly warnings: readonly string[];
  readonly filesToSync: readonly ImageFile[] = [];

  readonly #file: ImageFile;
  readonly #libc = libc();
  readonly #l1: Float64Array;
  readonly #slices: L2Slices;
  readonly #places: Places;
  readonly #clusters: ClusterMap;
  readonly #compressed: CompressedClusters;
  readonly #encryption: Encryption | undefined;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;
  #isPreallocated: boolean | undefined;
  /** The compressed cluster that was read last. */
  #lastSpecial = -1;
  readonly #ahead = new Mapping();

  constructor(file: ImageFile, parts: ImageParts) {
    this.sizeBytes = parts.sizeBytes;
    this.warnings = parts.warnings;
    this.#file = file;
    this.#l1 = parts.l1;
    this.#slices = parts.slices;
    this.#places = parts.places;
    this.#clusters = parts.clusters;
    this.#compressed = parts.compressed;
    this.#encryption = parts.encryption;
    this.#isPreallocated = parts.isPreallocated;
    this.#clusterBytes = parts.clusterBytes;
    this.#clustersPerByte = 1 / parts.clusterBytes;
    this.#slicesPerByte = this.#clustersPerByte / this.#slices.entries;
    this.#tablesPerByte = 1 / parts.tableCoversBytes;
  }

  get fileHoles(): "zeros" | undefined {
    this.#isPreallocated ??= isPreallocated(this.#file);
    return this.#isPreallocated ? "zeros" : undefined;
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
    this.#clusters.map(position, guestOffset, lengthBytes, mapping);
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
    // the table of a snapshot may describe less than its disk has
    const runEnd = next >= this.#l1.length ? end : Math.min(next / this.#tablesPerByte, end);
    const runBytes = runEnd - guestOffset;
    this.#places.setUnallocated(guestOffset, runBytes, mapping);
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
      if (mapping.isEncrypted) {
        return this.#readEncrypted(guestOffset, lengthBytes, target, position, mapping);
      }
      address = this.#compressed.load(cluster, mapping);
      if (address < 0) return false;
    }
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    this.#libc.memcpy(target.address + position, address + inCluster, lengthBytes);
    this.#compressed.release();
    if (cluster !== this.#lastSpecial) this.#followStream(cluster);
    return true;
  }

  /** A stream of reads has come to a compressed cluster: it will want the next one. */
  #followStream(cluster: number): void {
    const isStream = cluster === this.#lastSpecial + 1;
    this.#lastSpecial = cluster;
    if (isStream) this.#loadAhead(cluster + 1);
  }

  /** Only if nothing has to be read for it but the cluster itself. */
  #loadAhead(cluster: number): void {
    const guestOffset = cluster * this.#clusterBytes;
    if (guestOffset >= this.sizeBytes) return;
    const slice = this.#slices.find(Math.floor(guestOffset * this.#slicesPerByte));
    if (slice < 0) return;
    const mapping = this.#ahead;
    try {
      this.#clusters.map(slice, guestOffset, 1, mapping);
      if (mapping.kind !== Extent.Special || mapping.isEncrypted) return;
      mapping.mayDefer = true;
      this.#compressed.loadAhead(cluster, mapping);
    } catch (error) {
      const isTold = error instanceof ImageFormatError || error instanceof SystemError;
      if (!isTold) throw error; // those are for whoever reads the cluster
    }
  }

  dropCaches(): void {
    this.#slices.clear();
    this.#compressed.dropCache();
  }

  #readEncrypted(
    guestOffset: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    const { file } = mapping;
    if (this.#encryption === undefined || file === undefined) throw new Error("nothing to decrypt");
    const { sectors, countsHostOffsets } = this.#encryption;
    const hostOffset = mapping.hostOffset + guestOffset % SECTOR_BYTES;
    const cipherOffset = countsHostOffsets ? hostOffset : guestOffset;
    return sectors.read({ file, hostOffset, cipherOffset, lengthBytes }, target, position, mapping);
  }

  [Symbol.dispose](): void {
    this.#encryption?.sectors[Symbol.dispose]();
    this.#compressed[Symbol.dispose]();
  }
}
