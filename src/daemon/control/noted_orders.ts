/**
 * What a daemon was told to do, in the memory that outlives it. Whoever told it asks the next one if it is killed;
 * that one can tell whether it has been done:
 *
 *     told ── noted: number of the order, what there is ── done: there is something else ── answered ── forgotten
 *
 * What there is are the bytes of the disk, or the snapshots in the image: each order takes effect at once.
 *
 * @module
 */
import { IoBuffer } from "../../sys/memory.ts";
import type { DescriptorLists } from "../job_descriptors.ts";
import { KEPT_SECTIONS, KeptMemory } from "../kept_memory.ts";

/** In a note, each 8 bytes. The number counts once the other one is there. */
const Field = { id: 0, before: 1 } as const;
const NOTE_FIELDS = 2;

export class NotedOrders {
  readonly #notes: Float64Array;

  /** @param memory whose bytes are zero at first */
  constructor({ bytes }: Pick<IoBuffer, "bytes">) {
    const { buffer, byteOffset, length } = bytes;
    this.#notes = new Float64Array(buffer, byteOffset, length / Float64Array.BYTES_PER_ELEMENT);
  }

  /** Those of a daemon; where none is to take its place, they end with it. */
  static of({ kept: [fd] = [] }: DescriptorLists): NotedOrders {
    if (fd !== undefined) return new NotedOrders(new KeptMemory(fd).section("orders"));
    return new NotedOrders(new IoBuffer(KEPT_SECTIONS.orders.lengthBytes));
  }

  /**
   * Notes an order, before anything is done.
   *
   * @param has what there is now
   * @returns whether a daemon that was killed has done it
   */
  begin(id: number, has: number): boolean {
    const known = this.#find(id);
    if (known >= 0) return this.#notes[known + Field.before] !== has;
    // Who gave an order that was never answered may be gone, too.
    const at = Math.max(0, this.#find(0));
    this.#notes[at + Field.id] = 0;
    this.#notes[at + Field.before] = has;
    this.#notes[at + Field.id] = id;
    return false;
  }

  /** It is answered. */
  end(id: number): void {
    const at = this.#find(id);
    if (at >= 0) this.#notes[at + Field.id] = 0;
  }

  /** The number of the first field of a note, -1 if there is none. */
  #find(id: number): number {
    for (let at = 0; at < this.#notes.length; at += NOTE_FIELDS) {
      if (this.#notes[at + Field.id] === id) return at;
    }
    return -1;
  }
}
