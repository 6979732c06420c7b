/**
 * Where the bands of a disk are: read from all nodes when the image is opened, and kept.
 *
 * @module
 */
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { damaged } from "./header.ts";
import { HEADER, MAGIC, NODE, NODE_BYTES, SLOT_BYTES } from "./layout.ts";

/** Slots are numbered through all nodes, and fewer than that. */
const SLOTS = 2 ** 26;
/** So many bands a disk may have: together with the number of a slot, each is a number still. */
export const MAX_BANDS: number = 2 ** 27;
/** Of a node. */
const MOST_SLOTS = (NODE_BYTES - NODE.sizeBytes) / SLOT_BYTES;
/** What a node takes in memory, at most: a number for each slot, and one more while they are read. */
const BYTES_OF_NODE = 16 * MOST_SLOTS;

/** What all bands have in common. */
export interface BandShape {
  /** How many the disk has, at most {@link MAX_BANDS}. */
  readonly bands: number;
  readonly bandBytes: number;
}

/** A node: where it is, and the number of its first slot. */
interface Node {
  readonly offset: number;
  readonly firstSlot: number;
}

export class Bands {
  readonly #file: ImageFile;
  readonly #shape: BandShape;
  /** Of each stored band {@link SLOTS} times its number, and its slot's; in order. */
  readonly #stored: Float64Array;
  readonly #nodes: Node[] = [];
  readonly #buffer = new IoBuffer(NODE_BYTES);

  /**
   * @throws {ImageFormatError} if a node is damaged
   * @throws {RangeError} if there are too many of them
   * @throws {SystemError} if the file cannot be read
   */
  constructor(file: ImageFile, shape: BandShape, memory: MemoryLimit | undefined) {
    this.#file = file;
    this.#shape = shape;
    const stored = this.#readNodes(memory);
    this.#stored = Float64Array.from(stored).sort();
    this.#refuseTwins();
  }

  /** Where a band is in the file, in bytes; 0 if it is not stored. */
  offsetOf(band: number): number {
    const entry = this.#stored[this.#find(band)];
    if (entry === undefined || Math.floor(entry / SLOTS) !== band) return 0;
    const slot = entry % SLOTS;
    const { offset, firstSlot } = this.#nodeOf(slot);
    return offset + NODE_BYTES + (slot - firstSlot) * this.#shape.bandBytes;
  }

  /** The first band from `band` on that is stored; as many as there are if none is. */
  nextStored(band: number): number {
    const entry = this.#stored[this.#find(band)];
    return entry === undefined ? this.#shape.bands : Math.floor(entry / SLOTS);
  }

  /** Index of the first band in {@link #stored} that does not lie before `band`. */
  #find(band: number): number {
    const wanted = band * SLOTS;
    let low = 0;
    let high = this.#stored.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#stored[middle] ?? Infinity) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The last one whose first slot does not lie behind it. */
  #nodeOf(slot: number): Node {
    let low = 0;
    let high = this.#nodes.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#nodes[middle]?.firstSlot ?? Infinity) <= slot) low = middle;
      else high = middle - 1;
    }
    const node = this.#nodes[low];
    if (node === undefined) throw new Error("an image without nodes");
    return node;
  }

  #readNodes(memory: MemoryLimit | undefined): number[] {
    const { view } = this.#buffer;
    const stored: number[] = [];
    let node: Node | undefined = { offset: 0, firstSlot: 0 };
    while (node !== undefined) {
      memory?.reserveMemory(BYTES_OF_NODE);
      const { offset, firstSlot }: Node = node;
      this.#file.read(this.#buffer, 0, offset, NODE_BYTES);
      const record = offset === 0 ? HEADER : NODE;
      const { magic, nextNode } = record.read(view, 0);
      if (magic !== MAGIC) throw damaged(this.#file, "a node has no mark", offset);
      this.#nodes.push(node);
      this.#takeSlots(record.sizeBytes, node, stored);
      const slots = (NODE_BYTES - record.sizeBytes) / SLOT_BYTES;
      node = this.#nextOf(node, { nextNode, firstSlot: firstSlot + slots });
    }
    return stored;
  }

  /** Nodes lie behind each other. */
  #nextOf(
    { offset }: Node,
    { nextNode, firstSlot }: { readonly nextNode: bigint; readonly firstSlot: number },
  ): Node | undefined {
    if (nextNode === 0n) return undefined;
    const isPossible = nextNode >= BigInt(offset + NODE_BYTES) &&
      nextNode + BigInt(NODE_BYTES) <= BigInt(this.#file.sizeBytes);
    if (isPossible && firstSlot + MOST_SLOTS <= SLOTS) {
      return { offset: Number(nextNode), firstSlot };
    }
    throw damaged(this.#file, `no node can be at 0x${nextNode.toString(16)}`, offset);
  }

  #takeSlots(start: number, { offset, firstSlot }: Node, stored: number[]): void {
    const { view } = this.#buffer;
    for (let at = start; at < NODE_BYTES; at += SLOT_BYTES) {
      const band = view.getUint32(at) - 1;
      if (band < 0) continue;
      if (band >= this.#shape.bands) {
        throw damaged(this.#file, `the disk has no band ${band}`, offset + at);
      }
      stored.push(band * SLOTS + firstSlot + (at - start) / SLOT_BYTES);
    }
  }

  #refuseTwins(): void {
    let before = -1;
    for (const entry of this.#stored) {
      const band = Math.floor(entry / SLOTS);
      if (band === before) throw damaged(this.#file, `band ${band} is stored twice`);
      before = band;
    }
  }
}
