/**
 * Snapshots of an image that is written to, between two changes of its disk:
 *
 *     1. all that has been changed is made durable; what is dropped is freed, what is reserved given back
 *     2. the snapshots are changed as in an image that nobody has open: see snapshots/change.ts
 *     3. all tables in memory are read anew
 *
 * A crash in between leaves the image as a crash at any other moment does, with or without the change.
 *
 * @module
 */
import type { SnapshotChange } from "../../../image/snapshot_change.ts";
import type { Snapshots } from "../../../image/writing.ts";
import { readHeader } from "../header.ts";
import { switchSnapshots } from "../snapshots/change.ts";
import { changeTablesOnDisk, type TablesInMemory } from "./tables_anew.ts";

export interface LiveSnapshotsParts extends TablesInMemory {
  /** Throws {@link SystemError} if nothing may be changed any more, or the header lacks what is to be in it. */
  readonly refuseUnsaid: () => void;
}

export class LiveSnapshots implements Snapshots {
  readonly #parts: LiveSnapshotsParts;

  constructor(parts: LiveSnapshotsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return readHeader(this.#parts.file).snapshots.entries;
  }

  change(change: SnapshotChange, flush: () => void): void {
    const { file } = this.#parts;
    if (file.isVolatile) {
      throw new RangeError("its image is only read: what is written goes to an overlay");
    }
    if (change.action === "apply") {
      throw new RangeError("it is in use: no snapshot is applied before it is detached");
    }
    this.#parts.refuseUnsaid();
    this.#settle(flush);
    changeTablesOnDisk(this.#parts, () => switchSnapshots(file, change));
  }

  /** Nothing is waiting to be written, or to be freed. */
  #settle(flush: () => void): void {
    const { allocator } = this.#parts;
    flush();
    while (allocator.freeSome());
    allocator.conclude();
    flush();
  }
}
