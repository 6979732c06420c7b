/**
 * Clusters that several entries of the disk referred to, as a repair leaves them, until one of them was
 * written elsewhere. What refers to such a cluster alone has to be marked as COPIED, or others take the
 * image for damaged; but nobody knows which entry that is without looking at all of them. So it is done
 * when the image is closed, if there is such a cluster at all.
 *
 * @module
 */
import { Attempt } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header_types.ts";
import type { L1Table } from "../l1.ts";
import { EntryDecoder } from "../l2.ts";
import { L2_COMPRESSED_HIGH, L2_COPIED_HIGH } from "../layout.ts";
import type { Refcounts } from "./refcounts.ts";

/** More of them are not remembered: that takes memory. */
const MOST = 64 * 1024;
/** The half of an entry that has the flag, in bytes. */
const HIGH_BYTES = 4;

export interface SharedClustersParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly l1: L1Table;
  readonly refcounts: Refcounts;
}

export class SharedClusters {
  readonly #parts: SharedClustersParts;
  readonly #dropped = new Set<number>();

  constructor(parts: SharedClustersParts) {
    this.#parts = parts;
  }

  /** Says that an entry that was not marked as COPIED refers to a cluster no more. */
  drop(cluster: number): void {
    if (this.#dropped.size < MOST) this.#dropped.add(cluster);
  }

  /**
   * Marks entries that are the only ones to refer to one of these clusters. All else has to be durable.
   *
   * @throws {SystemError} if an entry cannot be written, or something cannot be read
   */
  conclude(): void {
    const wanted = this.#usedOnce();
    if (wanted.size === 0) return;
    for (const [at, high] of this.#loneEntries(wanted).values()) this.#mark(at, high);
    this.#dropped.clear();
  }

  #usedOnce(): ReadonlySet<number> {
    const patient = new Attempt();
    const { refcounts } = this.#parts;
    return new Set(
      [...this.#dropped].filter((cluster) => refcounts.countOf(cluster, patient) === 1),
    );
  }

  /** By cluster: where the only entry is, and the half of it that has the flag. */
  #loneEntries(wanted: ReadonlySet<number>): ReadonlyMap<number, readonly [number, number]> {
    const { file, header: { clusterBytes, l2EntryBits }, header, l1 } = this.#parts;
    const decoder = new EntryDecoder(header);
    const lone = new Map<number, readonly [number, number]>();
    const more = new Set<number>();
    const table = new IoBuffer(clusterBytes);
    for (let index = 0; index < l1.entries; index++) {
      const hostOffset = l1.tableOffset(index);
      if (hostOffset === 0) continue;
      file.read(table, 0, hostOffset, clusterBytes);
      for (let at = 0; at < clusterBytes; at += 2 ** l2EntryBits) {
        const high = table.view.getUint32(at);
        if ((high & L2_COMPRESSED_HIGH) !== 0) continue;
        const cluster = decoder.hostOffset(high, table.view.getUint32(at + 4)) / clusterBytes;
        if (!wanted.has(cluster)) continue;
        if (lone.has(cluster) || !l1.isOwn(index)) more.add(cluster);
        else lone.set(cluster, [hostOffset + at, high]);
      }
    }
    // Of what counts too low, nothing is marked.
    for (const cluster of more) lone.delete(cluster);
    return lone;
  }

  #mark(hostOffset: number, high: number): void {
    const buffer = new IoBuffer(HIGH_BYTES);
    buffer.view.setUint32(0, high | L2_COPIED_HIGH);
    this.#parts.file.write(buffer, 0, hostOffset, HIGH_BYTES);
  }
}
