/**
 * An open QCOW image of any version.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { DiskSize } from "./disk_size.ts";
import type { Encryption } from "./encryption.ts";
import type { L1Table } from "./l1.ts";
import type { L2Slices } from "./l2.ts";
import type { Places } from "./places.ts";
import type { ClusterMap } from "./standard_clusters.ts";

/** What changes an image, and what it keeps in memory for that. */
export interface TableWriting extends Writing {
  dropCaches(): void;
}

/** What an image consists of, whatever its version. */
export interface ImageParts {
  readonly size: DiskSize;
  readonly clusterBytes: number;
  /** Guest bytes that one L2 table describes: a power of two. */
  readonly tableCoversBytes: number;
  readonly warnings: readonly string[];
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly places: Places;
  readonly clusters: ClusterMap;
  readonly encryption: Encryption | undefined;
  /** What changes it, if it was not opened read-only. */
  readonly writing?: TableWriting | undefined;
  /** As {@link Image.refreshSize}; unless it is written to here. */
  readonly refreshSize?: () => void;
  /** Finds out whether qemu preallocated it. */
  readonly isPreallocated: () => boolean;
}

/**
 * Translates guest offsets by L1 and L2 table. Sizes are powers of two, so dividing is multiplying
 * by an exact fraction, and `&` takes an integer of any size modulo 2^32.
 */
export class QcowImage implements Image {
  readonly warnings: readonly string[];
  readonly writing: TableWriting | undefined;

  readonly #size: DiskSize;
  readonly #l1: L1Table;
  readonly #slices: L2Slices;
  readonly #places: Places;
  readonly #clusters: ClusterMap;
  readonly #encryption: Encryption | undefined;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;
  readonly #findPreallocation: () => boolean;
  readonly #refreshSize: () => void;
  /** Undefined until somebody asks. */
  #isPreallocated: boolean | undefined;

  constructor(parts: ImageParts) {
    this.#size = parts.size;
    this.warnings = parts.warnings;
    this.writing = parts.writing;
    this.#l1 = parts.l1;
    this.#slices = parts.slices;
    this.#places = parts.places;
    this.#clusters = parts.clusters;
    this.#encryption = parts.encryption;
    this.#findPreallocation = parts.isPreallocated;
    this.#refreshSize = parts.refreshSize ?? (() => {});
    this.#slicesPerByte = 1 / parts.clusterBytes / this.#slices.entries;
    this.#tablesPerByte = 1 / parts.tableCoversBytes;
  }

  get sizeBytes(): number {
    return this.#size.bytes;
  }

  get fileHoles(): "zeros" | undefined {
    this.#isPreallocated ??= this.#findPreallocation();
    return this.#isPreallocated ? "zeros" : undefined;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const slice = Math.floor(guestOffset * this.#slicesPerByte);
    let position = this.#slices.find(slice);
    if (position < 0) {
      const table = Math.floor(guestOffset * this.#tablesPerByte);
      const tableOffset = this.#l1.tableOffset(table);
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
    // the table of a snapshot may describe less than its disk has
    const next = this.#l1.nextTable(table + 1, Math.ceil(end * this.#tablesPerByte));
    const runEnd = Math.min(next / this.#tablesPerByte, end);
    const runBytes = runEnd - guestOffset;
    this.#places.setUnallocated(guestOffset, runBytes, mapping);
  }

  refreshSize(): void {
    this.#refreshSize();
  }

  dropCaches(): void {
    this.#slices.clear();
    this.writing?.dropCaches();
  }

  [Symbol.dispose](): void {
    this.#encryption?.cipher?.[Symbol.dispose]();
  }
}
