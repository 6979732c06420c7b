/**
 * A cache of decompressed clusters, whole or the first bytes of them.
 *
 * @module
 */
import { SlotCache } from "./slot_cache.ts";

/** Keeps the clusters that were used last. */
export class ClusterCache {
  readonly #slots: SlotCache;
  readonly #slotsPerByte: number;
  /** Bytes of each slot that are there, from its start on. */
  readonly #filled: Uint32Array;

  /** @param limits as those of {@link SlotCache} */
  constructor(clusterBytes: number, limits: { cacheBytes: number; keys: number }) {
    this.#slots = new SlotCache(clusterBytes, limits);
    this.#slotsPerByte = 1 / clusterBytes;
    this.#filled = new Uint32Array(this.#slots.buffer.size * this.#slotsPerByte);
  }

  /** Address of a cluster, or -1 where its first `wantedBytes` are not there. */
  find(cluster: number, wantedBytes: number): number {
    const position = this.#slots.find(cluster);
    if (position < 0 || this.#filledAt(position) < wantedBytes) return -1;
    return this.addressOf(position);
  }

  /** How many bytes of a cluster are there. */
  filledBytes(cluster: number): number {
    const position = this.#slots.find(cluster);
    return position < 0 ? 0 : this.#filledAt(position);
  }

  /**
   * Position of the slot for a cluster: the one that it has, or another that is emptied. What is
   * written there, {@link ClusterCache.keep} has to be told of.
   */
  place(cluster: number): number {
    const position = this.#slots.find(cluster);
    return position >= 0 ? position : this.#slots.take(cluster);
  }

  /** All bytes of the slot at `position`. */
  bytesAt(position: number): Uint8Array {
    return this.#slots.buffer.bytes.subarray(position, position + this.#slots.slotBytes);
  }

  addressOf(position: number): number {
    return this.#slots.buffer.address + position;
  }

  /** Says that the slot at `position` has the first `filledBytes` of a cluster. */
  keep(cluster: number, position: number, filledBytes: number): void {
    this.#slots.keep(cluster, position);
    this.#filled[position * this.#slotsPerByte] = filledBytes;
  }

  /** Forgets everything, and gives its memory back. */
  clear(): void {
    this.#slots.clear();
  }

  #filledAt(position: number): number {
    return this.#filled[position * this.#slotsPerByte] ?? 0;
  }
}
