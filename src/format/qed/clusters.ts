/**
 * What L2 tables say of the clusters of the disk.
 *
 * @module
 */
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { L2Slices } from "../qcow/l2.ts";
import { hex } from "../qcow/errors.ts";
import type { Places } from "../qcow/places.ts";
import type { ClusterMap } from "../qcow/standard_clusters.ts";
import { damaged } from "./errors.ts";
import { type Header, wholeClusters } from "./header.ts";
import { ENTRY_FREE, ENTRY_ZERO, TABLE_ENTRY_BYTES } from "./layout.ts";
import { entryAt, isPlace } from "./table_entries.ts";

/** What the entries are a part of. */
export interface ClustersParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly slices: L2Slices;
  readonly places: Places;
}

/** Reads the entries, joining those that continue each other. */
export class QedClusters implements ClusterMap {
  readonly #parts: ClustersParts;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;

  constructor(parts: ClustersParts) {
    this.#parts = parts;
    this.#clusterBytes = parts.header.clusterBytes;
    this.#clustersPerByte = 1 / parts.header.clusterBytes;
  }

  map(slice: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { slices, places } = this.#parts;
    const index = Math.floor(guestOffset * this.#clustersPerByte) & (slices.entries - 1);
    const position = slice + index * TABLE_ENTRY_BYTES;
    const entry = entryAt(slices.view, position);
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const wanted = Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte);
    const count = this.#countRun(position, Math.min(wanted, slices.entries - index), entry);
    const runBytes = Math.min(count * this.#clusterBytes - inCluster, lengthBytes);
    if (entry === ENTRY_FREE) return places.setUnallocated(guestOffset, runBytes, mapping);
    if (entry === ENTRY_ZERO) return mapping.setZero(runBytes);
    this.#checkPlace(guestOffset, entry, count);
    places.setStored(guestOffset, entry + inCluster, runBytes, mapping);
  }

  /** How many clusters follow each other in the file, or are alike otherwise. */
  #countRun(position: number, clusters: number, entry: number): number {
    const { view } = this.#parts.slices;
    const stepBytes = isPlace(entry) ? this.#clusterBytes : 0;
    let count = 1;
    for (; count < clusters; count++) {
      const next = entryAt(view, position + count * TABLE_ENTRY_BYTES);
      if (next !== entry + count * stepBytes) break;
    }
    return count;
  }

  /** Asked anew before that is refused: others may have made the file longer. */
  #checkPlace(guestOffset: number, hostOffset: number, count: number): void {
    const { file, header: { headBytes } } = this.#parts;
    const isAligned = hostOffset % this.#clusterBytes === 0 && hostOffset >= headBytes;
    const end = hostOffset + count * this.#clusterBytes;
    const isInFile = (): boolean => end <= wholeClusters(file.sizeBytes, this.#clusterBytes);
    if (isAligned && isInFile()) return;
    file.refreshSize();
    if (isAligned && isInFile()) return;
    const message = `the L2 entry for guest offset ${
      hex(guestOffset)
    } refers to what is no cluster`;
    throw damaged(file.path, message, hostOffset);
  }
}
