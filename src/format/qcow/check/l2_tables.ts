/**
 * Which L2 tables there are, and how many entries of L1 tables lead to each.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { offsetInEntry } from "../l1.ts";
import { L2_COPIED_HIGH, MAX_L1_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import { readSnapshots } from "../snapshots/read.ts";
import { ClusterCounts, type CountMemory } from "./cluster_counts.ts";
import { EntryLists } from "./entry_lists.ts";
import type { Findings } from "./findings.ts";
import type { References } from "./references.ts";
import type { StoredCounts } from "./stored_counts.ts";

/** Bits of an L1 entry that mean nothing: 56-62 and 0-8. */
const RESERVED = { high: 0x7f00_0000, low: 0x1ff } as const;
/** Version 3 wants the first two fields of a snapshot's extra data. */
const LEAST_EXTRA_BYTES = 16;
/** How many L1 entries can lead to a table: as many as fit into 32 bits. */
const TIMES_BITS = 32;

export interface L2TablesParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly findings: Findings;
  readonly references: References;
  readonly stored: StoredCounts;
  readonly memory: CountMemory;
}

export class L2Tables {
  /** Entries that lead to a table, by the table's cluster. */
  readonly times: ClusterCounts;
  /** Those of them that the disk has. */
  readonly activeTimes: ClusterCounts;
  readonly #parts: L2TablesParts;
  #count = 0;

  constructor(parts: L2TablesParts) {
    this.#parts = parts;
    this.times = new ClusterCounts(TIMES_BITS, parts.memory);
    this.activeTimes = new ClusterCounts(TIMES_BITS, parts.memory);
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Finds those of the disk. */
  addActive(): void {
    const { file, header: { l1Offset, l1AllEntries }, references } = this.#parts;
    references.addArea(l1Offset, l1AllEntries * TABLE_ENTRY_BYTES);
    const list = new EntryLists(file);
    list.add(l1Offset, l1AllEntries);
    list.forEach((view, position) => {
      const offset = this.#takeActive(view, position);
      if (offset === 0) return;
      this.#checkCopied(view.getUint32(position), offset);
      if (this.#isReadable(offset)) this.activeTimes.add(offset / this.#clusterBytes, 1);
    });
  }

  /**
   * Finds those of snapshots.
   *
   * @throws {ImageFormatError} if their table cannot be read
   */
  addSnapshots(): void {
    const { file, header: { snapshots, version }, references, findings } = this.#parts;
    const list = new EntryLists(file);
    let end = snapshots.offset;
    for (
      const { info, l1Offset, l1Size, endOffset, extraBytes } of readSnapshots(file, snapshots)
    ) {
      end = endOffset;
      if (version >= 3 && extraBytes < LEAST_EXTRA_BYTES) {
        findings.lasting(() => `snapshot ${info.id}: its entry is incomplete`);
      }
      const hostOffset = Number(l1Offset);
      const isAligned = l1Offset % BigInt(this.#clusterBytes) === 0n;
      if (!isAligned || l1Size * TABLE_ENTRY_BYTES > MAX_L1_BYTES) {
        findings.unreadable(() => `snapshot ${info.id}: its L1 table cannot be one`);
        continue;
      }
      references.addArea(hostOffset, l1Size * TABLE_ENTRY_BYTES);
      list.add(hostOffset, l1Size);
    }
    references.addArea(snapshots.offset, end - snapshots.offset);
    list.forEach((view, position, times) => this.#take(view, position, times));
  }

  get #clusterBytes(): number {
    return this.#parts.header.clusterBytes;
  }

  /** As {@link #take}: of what leads nowhere, a repair of the disk's table leaves nothing. */
  #takeActive(view: DataView, position: number): number {
    if (offsetInEntry(view, position) !== 0) return this.#take(view, position, 1);
    this.#parts.findings.asMended(() => this.#take(view, position, 1));
    return 0;
  }

  /** Counts a table; returns where it is, 0 for none. */
  #take(view: DataView, position: number, times: number): number {
    const high = view.getUint32(position);
    const low = view.getUint32(position + 4);
    if (high === 0 && low === 0) return 0;
    const { findings, references } = this.#parts;
    const offset = offsetInEntry(view, position);
    if ((high & RESERVED.high) !== 0 || (low & RESERVED.low) !== 0) {
      findings.lasting(
        () => `L1 entry for the L2 table at ${hex(offset)} has reserved bits`,
        times,
      );
    }
    if (offset === 0) {
      findings.lasting(() => "L1 entry for no L2 table has flags", times);
      return 0;
    }
    references.add(offset, this.#clusterBytes, times);
    if (offset % this.#clusterBytes !== 0) {
      findings.unreadable(() => `L2 table at ${hex(offset)} is not aligned`, times);
    }
    if (!this.#isReadable(offset)) return offset;
    const cluster = offset / this.#clusterBytes;
    if (this.times.get(cluster) === 0) this.#count++;
    this.times.add(cluster, times);
    return offset;
  }

  #isReadable(offset: number): boolean {
    if (offset % this.#clusterBytes !== 0) return false;
    return this.#parts.references.isInFile(offset, this.#clusterBytes);
  }

  #checkCopied(high: number, offset: number): void {
    const isCopied = (high & L2_COPIED_HIGH) !== 0;
    const { findings, stored } = this.#parts;
    const count = stored.get(Math.floor(offset / this.#clusterBytes));
    if (isCopied === (count === 1)) return;
    const is = isCopied ? "is" : "is not";
    findings.wrongFlag(
      () => `L2 table at ${hex(offset)} ${is} marked as used once, but counts ${count}`,
    );
  }
}
