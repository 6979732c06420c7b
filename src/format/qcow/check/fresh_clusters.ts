/**
 * Clusters for what a repair writes anew: none of them was ever in use, so that until the header says
 * otherwise the image is as it was.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { ENOSPC, SystemError } from "../../../sys/errno.ts";
import type { RightCounts } from "./right_counts.ts";

export class FreshClusters {
  readonly #file: ImageFile;
  readonly #counts: RightCounts;
  readonly #end: number;
  /** Nothing before it is free. The header is in cluster 0. */
  #next = 1;

  constructor(file: ImageFile, clusterBytes: number, counts: RightCounts) {
    this.#file = file;
    this.#counts = counts;
    this.#end = file.canGrow ? counts.endOfKnown : Math.floor(file.sizeBytes / clusterBytes);
  }

  /**
   * The first of `count` clusters, one behind the other, to which there are now so many references each.
   *
   * @throws {SystemError} ENOSPC if there are none
   */
  take(count: number, references = 1): number {
    const first = this.#find(count);
    for (let cluster = first; cluster < first + count; cluster++) {
      this.#counts.change(cluster, references);
    }
    this.#next = first + count;
    return first;
  }

  #find(count: number): number {
    let first = this.#next;
    for (let at = first; at < this.#end; at++) {
      if (!this.#counts.isFree(at)) first = at + 1;
      else if (at + 1 - first === count) return first;
    }
    throw new SystemError("write", ENOSPC, this.#file.path);
  }
}
