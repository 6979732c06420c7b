/**
 * What the refcount blocks say, read as it is asked for. What no block describes is 0, and so is what
 * describes itself in a way that cannot be.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header_types.ts";
import { blockOffsetInEntry } from "../l1.ts";
import { OFFSET_MASK_LOW, TABLE_ENTRY_BYTES } from "../layout.ts";
import { type Counts, countsOf } from "../write/counts.ts";
import { CHUNK_CLUSTERS, ClusterCounts, type CountMemory } from "./cluster_counts.ts";

/** Bits 0-8 of an entry of the refcount table. */
const RESERVED_MASK_LOW = 0x1ff;

const WORD_BYTES = 4;
const WORD_BITS = 32;

/** What an entry of the refcount table is worth. */
export type BlockFault = "none" | "reserved bits" | "not aligned";

export class StoredCounts {
  /** Clusters that a block describes. */
  readonly clustersPerBlock: number;
  readonly tableEntries: number;
  readonly counts: ClusterCounts;
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  readonly #table: IoBuffer;
  readonly #encoding: Counts;
  /** A block is read in such pieces, each of which describes no more than a chunk. */
  readonly #pieceClusters: number;
  readonly #piece: IoBuffer;
  readonly #known = new Set<number>();
  /** Where pieces without any count are in the file: many blocks may be one and the same. */
  readonly #empty = new Set<number>();
  #lastPiece = -1;

  constructor(
    file: ImageFile,
    { clusterBytes, refcounts }: Pick<Header, "clusterBytes" | "refcounts">,
    memory: CountMemory,
  ) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#encoding = countsOf(refcounts.order);
    const { bits } = this.#encoding;
    this.clustersPerBlock = clusterBytes * 8 / bits;
    this.#pieceClusters = Math.min(this.clustersPerBlock, CHUNK_CLUSTERS);
    this.#piece = new IoBuffer(this.#pieceClusters * bits / 8);
    this.tableEntries = refcounts.tableEntries;
    this.#table = new IoBuffer(this.tableEntries * TABLE_ENTRY_BYTES);
    file.read(this.#table, 0, refcounts.tableOffset, this.#table.size);
    this.counts = new ClusterCounts(bits, memory);
  }

  /** Where block number `index` is said to be; 0 if there is none. */
  blockOffset(index: number): number {
    if (index >= this.tableEntries) return 0;
    return blockOffsetInEntry(this.#table.view, index * TABLE_ENTRY_BYTES);
  }

  faultOf(index: number): BlockFault {
    const low = this.#table.view.getUint32(index * TABLE_ENTRY_BYTES + 4);
    if ((low & RESERVED_MASK_LOW) !== 0) return "reserved bits";
    return this.#isAligned(index) ? "none" : "not aligned";
  }

  #isAligned(index: number): boolean {
    const low = this.#table.view.getUint32(index * TABLE_ENTRY_BYTES + 4) & OFFSET_MASK_LOW;
    return (low & this.#clusterBytes - 1) === 0;
  }

  /** How often a cluster is said to be used. */
  get(cluster: number): number {
    this.load(cluster);
    return this.counts.get(cluster);
  }

  /** Reads the counts of a cluster and its neighbours. */
  load(cluster: number): void {
    const piece = Math.floor(cluster / this.#pieceClusters);
    if (piece === this.#lastPiece) return;
    this.#lastPiece = piece;
    if (this.#known.has(piece)) return;
    const first = piece * this.#pieceClusters;
    const block = Math.floor(first / this.clustersPerBlock);
    const offset = this.blockOffset(block);
    if (offset === 0 || !this.#isAligned(block)) return;
    this.#known.add(piece);
    this.#read(first, offset + first % this.clustersPerBlock * this.#encoding.bits / 8);
  }

  /** Whether any cluster from `start` up to `end` has a count; all of one block. */
  hasCountIn(start: number, end: number): boolean {
    for (let at = start; at < end; at = this.#pieceEnd(at)) {
      this.load(at);
      const chunk = this.counts.chunkOf(at);
      if (chunk === undefined) continue;
      const from = at % CHUNK_CLUSTERS;
      const to = from + Math.min(end, this.#pieceEnd(at)) - at;
      for (let index = from; index < to; index++) if (chunk[index] !== 0) return true;
    }
    return false;
  }

  /** Where the piece that describes a cluster ends. */
  #pieceEnd(cluster: number): number {
    return (Math.floor(cluster / this.#pieceClusters) + 1) * this.#pieceClusters;
  }

  /** Reads the counts of all clusters before `end`. */
  loadUpTo(end: number): void {
    const blocks = Math.min(this.tableEntries, Math.ceil(end / this.clustersPerBlock));
    for (let block = 0; block < blocks; block++) {
      if (this.blockOffset(block) === 0) continue;
      const first = block * this.clustersPerBlock;
      const blockEnd = Math.min(end, first + this.clustersPerBlock);
      for (let at = first; at < blockEnd; at += this.#pieceClusters) this.load(at);
    }
  }

  #read(first: number, hostOffset: number): void {
    if (this.#empty.has(hostOffset) || hostOffset >= this.#file.sizeBytes) return;
    this.#file.read(this.#piece, 0, hostOffset, this.#piece.size);
    const { buffer, byteOffset, length } = this.#piece.bytes;
    const words = new Uint32Array(buffer, byteOffset, length / WORD_BYTES);
    const { bits } = this.#encoding;
    const clustersPerWord = Math.max(1, WORD_BITS / bits);
    let isEmpty = true;
    // Most of them are 0: those that lie in one word are passed at once.
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      isEmpty = false;
      const start = Math.floor(word * WORD_BITS / bits);
      for (let index = start; index < start + clustersPerWord; index++) {
        const count = this.#encoding.get(this.#piece.view, index);
        if (count !== 0) this.counts.set(first + index, count);
      }
    }
    if (isEmpty) this.#empty.add(hostOffset);
  }
}
