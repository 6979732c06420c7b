/**
 * What `qemu-img check` finds, found by other means than those of the driver: every reference of an image
 * is counted, and compared with what its refcount blocks say.
 *
 * It is written from the specification alone, and shares no code with what it judges.
 *
 * @module
 */
import { checkVersion1 } from "../../qcow1/checker.ts";

/** What is wrong with an image, as `qemu-img check` divides it. */
export interface Findings {
  /** One line for each fault that could lose data. */
  readonly corruptions: readonly string[];
  /** Clusters that count as used, and are not. */
  readonly leaks: number;
}

const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const OFFSET = 0x00ff_ffff_ffff_fe00n;

/**
 * Checks the image that the bytes of a file are.
 *
 * @param clustersBehind how many clusters behind the end of the file are looked at for leaks, too
 */
export function checkImage(bytes: Uint8Array<ArrayBuffer>, clustersBehind = 0): Findings {
  if (bytes[7] === 1) return { corruptions: checkVersion1(bytes), leaks: 0 };
  return new Checker(bytes, clustersBehind).check();
}

class Checker {
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #version: number;
  readonly #bits: number;
  readonly #cluster: number;
  readonly #order: number;
  readonly #extended: boolean;
  readonly #hasDataFile: boolean;
  readonly #clustersBehind: number;
  readonly #counted = new Map<number, number>();
  readonly #corruptions: string[] = [];

  constructor(bytes: Uint8Array<ArrayBuffer>, clustersBehind: number) {
    this.#clustersBehind = clustersBehind;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#fileBytes = bytes.length;
    this.#version = this.#view.getUint32(4);
    this.#bits = this.#view.getUint32(20);
    this.#cluster = 2 ** this.#bits;
    this.#order = this.#version === 2 ? 4 : this.#view.getUint32(96);
    const incompatible = this.#version === 2 ? 0n : this.#u64(72);
    this.#extended = (incompatible & 16n) !== 0n;
    this.#hasDataFile = (incompatible & 4n) !== 0n;
  }

  check(): Findings {
    const view = this.#view;
    this.#count("header", 0, 1);
    this.#countTree(Number(this.#u64(40)), view.getUint32(36), true);
    this.#countSnapshots();
    const tableOffset = Number(this.#u64(48));
    const tableBytes = view.getUint32(56) * this.#cluster;
    this.#count("refcount table", tableOffset, tableBytes);
    for (let at = 0; at < tableBytes; at += 8) {
      const block = Number(this.#u64(tableOffset + at));
      if (block === 0) continue;
      if (block % this.#cluster !== 0) this.#bad(`refcount block at ${block} is not aligned`);
      else this.#count("refcount block", block, this.#cluster);
    }
    this.#countExtensions();
    return { corruptions: this.#corruptions, leaks: this.#compare() };
  }

  #u64(at: number): bigint {
    return at + 8 <= this.#fileBytes ? this.#view.getBigUint64(at) : 0n;
  }

  #bad(what: string): void {
    this.#corruptions.push(what);
  }

  #count(what: string, offset: number, bytes: number): void {
    if (bytes === 0) return;
    const end = Math.ceil(this.#fileBytes / this.#cluster);
    const first = Math.floor(offset / this.#cluster);
    const last = Math.floor((offset + bytes - 1) / this.#cluster);
    for (let cluster = first; cluster <= last; cluster++) {
      if (cluster >= end) this.#bad(`${what} at ${offset} is outside of the file`);
      this.#counted.set(cluster, (this.#counted.get(cluster) ?? 0) + 1);
    }
  }

  #countTree(l1Offset: number, entries: number, isActive: boolean): void {
    this.#count("L1 table", l1Offset, entries * 8);
    for (let index = 0; index < entries; index++) {
      const entry = this.#u64(l1Offset + index * 8);
      const l2 = Number(entry & OFFSET);
      if (l2 === 0) continue;
      if (l2 % this.#cluster !== 0) {
        this.#bad(`L2 table at ${l2} is not aligned`);
        continue;
      }
      this.#count("L2 table", l2, this.#cluster);
      if (isActive) this.#checkCopied(`L1 entry ${index}`, entry, l2);
      this.#countTable(l2, isActive);
    }
  }

  #countTable(l2: number, isActive: boolean): void {
    const entryBytes = this.#extended ? 16 : 8;
    for (let at = l2; at < l2 + this.#cluster; at += entryBytes) {
      const entry = this.#u64(at);
      if ((entry & COMPRESSED) !== 0n) this.#countCompressed(entry);
      else this.#countCluster(at, entry, isActive);
      if (this.#extended && (entry & COMPRESSED) === 0n) this.#checkBitmap(at, entry);
    }
  }

  #checkBitmap(at: number, entry: bigint): void {
    const bitmap = this.#u64(at + 8);
    const [zero, allocated] = [bitmap >> 32n, bitmap & 0xffff_ffffn];
    const hasCluster = (entry & OFFSET) !== 0n || this.#hasDataFile && (entry & COPIED) !== 0n;
    if ((zero & allocated) !== 0n || !hasCluster && allocated !== 0n) {
      this.#bad(`L2 entry at ${at} has an impossible bitmap`);
    }
  }

  #countCompressed(entry: bigint): void {
    const shift = BigInt(62 - (this.#bits - 8));
    const offset = Number(entry & ((1n << shift) - 1n));
    const sectors = Number((entry & (COMPRESSED - 1n)) >> shift) + 1;
    this.#count("compressed cluster", offset, sectors * 512 - offset % 512);
    if ((entry & COPIED) !== 0n) this.#bad(`compressed cluster at ${offset} is marked as copied`);
  }

  #countCluster(at: number, entry: bigint, isActive: boolean): void {
    const offset = Number(entry & OFFSET);
    if (offset === 0) return;
    if (offset % this.#cluster !== 0) return this.#bad(`L2 entry at ${at} is not aligned`);
    if (this.#hasDataFile) return;
    this.#count("data cluster", offset, this.#cluster);
    if (isActive) this.#checkCopied(`L2 entry at ${at}`, entry, offset);
  }

  #checkCopied(what: string, entry: bigint, offset: number): void {
    const isOnce = this.#stored(offset / this.#cluster) === 1n;
    if (isOnce !== ((entry & COPIED) !== 0n)) this.#bad(`${what}: wrong copied flag`);
  }

  #countSnapshots(): void {
    const start = Number(this.#u64(64));
    let at = start;
    for (let left = this.#view.getUint32(60); left > 0; left--) {
      this.#countTree(Number(this.#u64(at)), this.#view.getUint32(at + 8), false);
      const bytes = 40 + this.#view.getUint32(at + 36) + this.#view.getUint16(at + 12) +
        this.#view.getUint16(at + 14);
      at += Math.ceil(bytes / 8) * 8;
    }
    if (at > start) this.#count("snapshot table", start, at - start);
  }

  /** Those that name places in the file: the encryption header, and bitmaps. */
  #countExtensions(): void {
    let at = this.#version === 2 ? 72 : this.#view.getUint32(100);
    while (at + 8 <= this.#cluster) {
      const [type, length] = [this.#view.getUint32(at), this.#view.getUint32(at + 4)];
      if (type === 0) return;
      if (type === 0x0537be77) {
        this.#count("encryption header", Number(this.#u64(at + 8)), Number(this.#u64(at + 16)));
      }
      if (type === 0x23852875) this.#countBitmaps(at + 8);
      at += 8 + Math.ceil(length / 8) * 8;
    }
  }

  #countBitmaps(extension: number): void {
    const bytes = Number(this.#u64(extension + 8));
    const start = Number(this.#u64(extension + 16));
    this.#count("bitmap directory", start, bytes);
    for (let at = start; at < start + bytes;) {
      const table = Number(this.#u64(at));
      const entries = this.#view.getUint32(at + 8);
      this.#count("bitmap table", table, entries * 8);
      for (let index = 0; index < entries; index++) {
        const offset = Number(this.#u64(table + index * 8) & OFFSET);
        if (offset !== 0) this.#count("bitmap", offset, this.#cluster);
      }
      const entryBytes = 24 + this.#view.getUint16(at + 18) + this.#view.getUint32(at + 20);
      at += Math.ceil(entryBytes / 8) * 8;
    }
  }

  #stored(cluster: number): bigint {
    const bits = 2 ** this.#order;
    const perBlock = this.#cluster * 8 / bits;
    const tableAt = Math.floor(cluster / perBlock) * 8;
    if (tableAt >= this.#view.getUint32(56) * this.#cluster) return 0n;
    const block = Number(this.#u64(Number(this.#u64(48)) + tableAt));
    if (block === 0) return 0n;
    return this.#bitsAt(block, cluster % perBlock * bits, bits);
  }

  #bitsAt(block: number, bit: number, bits: number): bigint {
    const at = block + Math.floor(bit / 8);
    if (at + Math.ceil(bits / 8) > this.#fileBytes) return 0n;
    if (bits < 8) return BigInt(this.#view.getUint8(at) >> bit % 8 & (2 ** bits - 1));
    let value = 0n;
    for (let n = 0; n < bits / 8; n++) value = value << 8n | BigInt(this.#view.getUint8(at + n));
    return value;
  }

  #compare(): number {
    let leaks = 0;
    const perBlock = this.#cluster * 8 / 2 ** this.#order;
    const blocks = this.#view.getUint32(56) * this.#cluster / 8;
    const fileEnd = Math.ceil(this.#fileBytes / this.#cluster) + this.#clustersBehind;
    const end = Math.max(fileEnd, ...this.#counted.keys());
    for (let cluster = 0; cluster <= Math.min(end, blocks * perBlock); cluster++) {
      const counted = BigInt(this.#counted.get(cluster) ?? 0);
      const stored = this.#stored(cluster);
      if (stored < counted) this.#bad(`cluster ${cluster}: counts ${stored}, used ${counted}`);
      if (stored > counted) leaks++;
    }
    return leaks;
  }
}
