/**
 * An open QCOW2 image, read-only.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../image/image_file.ts";
import { Extent, type Mapping } from "../../image/mapping.ts";
import { libc } from "../../sys/libc.ts";
import type { IoBuffer } from "../../sys/memory.ts";
import { CompressedClusters } from "../compressed_clusters.ts";
import { compressedLayout } from "./compression.ts";
import { type Encryption, openEncryption } from "./encryption.ts";
import { damaged } from "./errors.ts";
import { ExtendedClusters } from "./extended_clusters.ts";
import { type Header, readHeader } from "./header.ts";
import { readL1 } from "./l1.ts";
import { L2Slices } from "./l2.ts";
import { CryptMethod, SECTOR_BYTES, TABLE_ENTRY_BYTES } from "./layout.ts";
import { openRelated } from "./names.ts";
import { Places } from "./places.ts";
import { isPreallocated } from "./preallocation.ts";
import { headerOfSnapshot } from "./snapshots.ts";
import { type ClusterMap, StandardClusters } from "./standard_clusters.ts";

const CORRUPT = "the image is marked as corrupt";

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
  /** Not known until somebody asks. */
  #isPreallocated: boolean | undefined;

  /** @throws as {@link chosenHeader}, {@link openRelated} and {@link openEncryption} */
  constructor(file: ImageFile, options: OpenOptions) {
    const header = chosenHeader(file, options);
    this.warnings = header.corrupt ? [CORRUPT] : [];
    this.sizeBytes = header.sizeBytes;
    this.#file = file;
    options.related?.reserveMemory(header.l1Entries * TABLE_ENTRY_BYTES);
    this.#l1 = readL1(file, header);
    this.#slices = new L2Slices(
      file,
      header,
      options.metadataCacheBytes ?? DEFAULT_CACHES.metadataCacheBytes,
    );
    const isEncrypted = header.cryptMethod !== CryptMethod.none;
    this.#places = new Places(file, openRelated(file, header, options), { isEncrypted });
    const Clusters = header.extendedL2 ? ExtendedClusters : StandardClusters;
    this.#clusters = new Clusters(header, this.#slices, this.#places);
    this.#compressed = new CompressedClusters(file, compressedLayout(header, options));
    this.#clusterBytes = header.clusterBytes;
    this.#clustersPerByte = 1 / header.clusterBytes;
    this.#slicesPerByte = this.#clustersPerByte / this.#slices.entries;
    this.#tablesPerByte = 2 ** header.l2EntryBits / header.clusterBytes ** 2;
    this.#encryption = openEncryption(file, header, options);
  }

  get fileHoles(): "zeros" | undefined {
    if (this.#encryption !== undefined) return undefined;
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
    const runBytes = Math.min(next / this.#tablesPerByte, end) - guestOffset;
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
    return true;
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
  }
}

/**
 * The header, for the snapshot that is wanted or for the active disk.
 *
 * @throws {ImageFormatError} if the image is damaged or marked as corrupt, or has no such snapshot
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 */
function chosenHeader(file: ImageFile, { force, snapshot }: OpenOptions): Header {
  const header = readHeader(file);
  if (header.corrupt && !force) {
    throw damaged(file.path, `${CORRUPT} (--force attaches it all the same, read-only)`);
  }
  return snapshot === undefined ? header : headerOfSnapshot(file, header, snapshot);
}
