/**
 * Where an image may be written to, whatever it is like: what its own tables and counts allow. It is
 * written from the specification alone, and shares no code with what it judges.
 *
 * @module
 */
import type { Step } from "./recording.ts";

const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const OFFSET = 0x00ff_ffff_ffff_fe00n;

/** Fields of the header that may change: the place of the refcount table, and feature bits. */
const TABLE_FIELD = { start: 48, end: 60 } as const;
const FIELDS = [TABLE_FIELD, { start: 72, end: 80 }, { start: 88, end: 96 }];

/** What lies behind the end of the file reads as zeros, be it a part of an entry. */
const WORD_BYTES = 8;

/** What a cluster of metadata is for. */
type Role =
  | "header"
  | "refcount table"
  | "refcount block"
  | "L1 table"
  | "own L2 table"
  | "shared L2 table"
  | "what no change is about";

/** The rules for one image, as its bytes are when it is opened. */
export class WriteRules {
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #cluster: number;
  readonly #bits: number;
  readonly #countBits: number;
  readonly #entryBytes: number;
  readonly #hasDataFile: boolean;
  readonly #roles = new Map<number, Role>();
  /** How often the disk itself refers to a cluster. */
  readonly #references = new Map<number, number>();
  readonly #inPlace = new Set<number>();
  #hasTableMoved = false;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    const padded = new Uint8Array(bytes.length + WORD_BYTES);
    padded.set(bytes);
    this.#view = new DataView(padded.buffer);
    this.#fileBytes = bytes.length;
    const version = this.#view.getUint32(4);
    this.#bits = this.#view.getUint32(20);
    this.#cluster = 2 ** this.#bits;
    this.#countBits = version === 2 ? 16 : 2 ** this.#view.getUint32(96);
    const incompatible = version === 2 ? 0n : this.#u64(72);
    this.#entryBytes = (incompatible & 16n) === 0n ? 8 : 16;
    this.#hasDataFile = (incompatible & 4n) !== 0n;
    this.#findTables();
    this.#findSnapshots();
    this.#findExtensions(version);
    this.#setRole("header", 0, 1);
  }

  #u64(at: number): bigint {
    return at < this.#fileBytes ? this.#view.getBigUint64(at) : 0n;
  }

  #setRole(role: Role, offset: number, bytes: number): void {
    const end = Math.min(offset + bytes, this.#fileBytes + this.#cluster);
    for (let at = offset; at < end; at += this.#cluster) {
      this.#roles.set(Math.floor(at / this.#cluster), role);
    }
  }

  #findTables(): void {
    const tableAt = Number(this.#u64(48));
    const tableBytes = this.#view.getUint32(56) * this.#cluster;
    this.#setRole("refcount table", tableAt, tableBytes);
    for (let at = tableAt; at < tableAt + tableBytes; at += 8) {
      const block = Number(this.#u64(at) & OFFSET);
      if (block !== 0) this.#setRole("refcount block", block, 1);
    }
    const l1 = Number(this.#u64(40));
    const entries = this.#view.getUint32(36);
    this.#setRole("L1 table", l1, entries * 8);
    for (let index = 0; index < entries; index++) this.#findTable(this.#u64(l1 + index * 8));
  }

  #findTable(l1Entry: bigint): void {
    const table = Number(l1Entry & OFFSET);
    if (table === 0) return;
    const isOwn = (l1Entry & COPIED) !== 0n;
    this.#setRole(isOwn ? "own L2 table" : "shared L2 table", table, 1);
    for (let at = table; at < table + this.#cluster; at += this.#entryBytes) {
      this.#findCluster(this.#u64(at), isOwn);
    }
  }

  #findCluster(entry: bigint, isOwn: boolean): void {
    if ((entry & COMPRESSED) !== 0n) {
      const shift = BigInt(62 - (this.#bits - 8));
      const offset = Number(entry & ((1n << shift) - 1n));
      const sectors = Number((entry & (COMPRESSED - 1n)) >> shift) + 1;
      return this.#refer(offset, offset + sectors * 512 - offset % 512);
    }
    const offset = Number(entry & OFFSET);
    if (offset === 0 || this.#hasDataFile) return;
    this.#refer(offset, offset + 1);
    if (isOwn && (entry & COPIED) !== 0n) this.#inPlace.add(Math.floor(offset / this.#cluster));
  }

  #refer(start: number, end: number): void {
    const last = Math.floor((end - 1) / this.#cluster);
    for (let cluster = Math.floor(start / this.#cluster); cluster <= last; cluster++) {
      this.#references.set(cluster, (this.#references.get(cluster) ?? 0) + 1);
    }
  }

  #findSnapshots(): void {
    const start = Number(this.#u64(64));
    let at = start;
    for (let left = this.#view.getUint32(60); left > 0 && at + 40 < this.#fileBytes; left--) {
      const l1 = Number(this.#u64(at));
      const entries = this.#view.getUint32(at + 8);
      this.#setRole("what no change is about", l1, entries * 8);
      for (let index = 0; index < entries; index++) {
        const table = Number(this.#u64(l1 + index * 8) & OFFSET);
        if (table !== 0) this.#setRole("what no change is about", table, 1);
      }
      const bytes = 40 + this.#view.getUint32(at + 36) + this.#view.getUint16(at + 12) +
        this.#view.getUint16(at + 14);
      at += Math.ceil(bytes / 8) * 8;
    }
    if (at > start) this.#setRole("what no change is about", start, at - start);
  }

  #findExtensions(version: number): void {
    const isEncrypted = this.#view.getUint32(32) === 2;
    const hasBitmaps = version > 2 && (this.#u64(88) & 1n) !== 0n;
    let at = version === 2 ? 72 : this.#view.getUint32(100);
    while (at + 8 <= Math.min(this.#cluster, this.#fileBytes)) {
      const [type, length] = [this.#view.getUint32(at), this.#view.getUint32(at + 4)];
      if (type === 0) return;
      if (type === 0x0537be77 && isEncrypted) {
        const [offset, bytes] = [Number(this.#u64(at + 8)), Number(this.#u64(at + 16))];
        this.#setRole("what no change is about", offset, bytes);
      }
      if (type === 0x23852875 && hasBitmaps) this.#findBitmaps(at + 8);
      at += 8 + Math.ceil(length / 8) * 8;
    }
  }

  /** The directory of bitmaps says in place that they are in use; their tables and bits may be freed. */
  #findBitmaps(extension: number): void {
    const bytes = Number(this.#u64(extension + 8));
    const start = Number(this.#u64(extension + 16));
    this.#refer(start, Math.min(start + bytes, this.#fileBytes));
    for (let at = start; at < Math.min(start + bytes, this.#fileBytes); at += this.#cluster) {
      this.#inPlace.add(Math.floor(at / this.#cluster));
    }
    let at = start;
    for (
      let left = this.#view.getUint32(extension);
      left > 0 && at + 24 < this.#fileBytes;
      left--
    ) {
      const table = Number(this.#u64(at));
      const tableEnd = Math.min(table + this.#view.getUint32(at + 8) * 8, this.#fileBytes);
      if (tableEnd > table) this.#refer(table, tableEnd);
      for (let entry = table; entry < tableEnd; entry += 8) {
        const bits = Number(this.#u64(entry) & OFFSET);
        if (bits !== 0) this.#refer(bits, bits + 1);
      }
      const more = this.#view.getUint32(at + 20) + this.#view.getUint16(at + 18);
      at += Math.ceil((24 + more) / 8) * 8;
    }
  }

  /** What is wrong with something that is done to the image's own file, if anything is. */
  fault(step: Step): string | undefined {
    if (step.kind === "size") {
      return step.sizeBytes < this.#fileBytes ? `cut off at ${step.sizeBytes}` : undefined;
    }
    const length = step.kind === "write" ? step.bytes.length : step.length;
    const end = step.offset + length;
    for (let at = step.offset; at < end;) {
      const cluster = Math.floor(at / this.#cluster);
      const next = Math.min(end, (cluster + 1) * this.#cluster);
      const why = this.#faultOf(step.kind, cluster, { start: at, end: next });
      if (why !== undefined) return `${step.kind} of ${length} at ${step.offset}: ${why}`;
      at = next;
    }
    return undefined;
  }

  /** As {@link WriteRules.fault}, of an external data file: no more than the disk, in whole clusters. */
  faultOfData(step: Step): string | undefined {
    const diskBytes = Math.ceil(Number(this.#u64(24)) / this.#cluster) * this.#cluster;
    if (step.kind === "size") return "the data file is cut off";
    const end = step.offset + (step.kind === "write" ? step.bytes.length : step.length);
    return end > diskBytes ? `${step.kind} up to ${end} of the data file` : undefined;
  }

  #faultOf(
    kind: "write" | "punch",
    cluster: number,
    range: { readonly start: number; readonly end: number },
  ): string | undefined {
    const role = this.#roles.get(cluster);
    switch (role) {
      case undefined:
        return this.#mayHaveData(cluster, kind) ? undefined : `cluster ${cluster} is in use`;
      case "header":
        return kind === "write" ? this.#faultInHeader(range) : "the header is punched";
      case "refcount table":
        return kind === "write" || this.#hasTableMoved
          ? undefined
          : "the refcount table is punched";
      case "shared L2 table":
        return this.#count(cluster) <= 1 ? undefined : "an L2 table is others', too";
      case "what no change is about":
        return role;
      default:
        return kind === "write" ? undefined : `the ${role} is punched`;
    }
  }

  #faultInHeader(
    { start, end }: { readonly start: number; readonly end: number },
  ): string | undefined {
    if (start === TABLE_FIELD.start) this.#hasTableMoved = true;
    const isField = FIELDS.some((field) => start >= field.start && end <= field.end);
    return isField ? undefined : `the header from ${start} to ${end}`;
  }

  /** Free, or in use by one entry alone, or freed when what refers to it is gone. */
  #mayHaveData(cluster: number, kind: "write" | "punch"): boolean {
    if (kind === "write" && this.#inPlace.has(cluster)) return true;
    return (this.#references.get(cluster) ?? 0) >= this.#count(cluster);
  }

  #count(cluster: number): number {
    const perBlock = this.#cluster * 8 / this.#countBits;
    const index = Math.floor(cluster / perBlock);
    if (index >= this.#view.getUint32(56) * this.#cluster / 8) return 0;
    const block = Number(this.#u64(Number(this.#u64(48)) + index * 8) & OFFSET);
    if (block === 0) return 0;
    const bit = cluster % perBlock * this.#countBits;
    const at = block + Math.floor(bit / 8);
    if (at >= this.#fileBytes) return 0;
    if (this.#countBits < 8) {
      return this.#view.getUint8(at) >> bit % 8 & (2 ** this.#countBits - 1);
    }
    let value = 0;
    for (let n = 0; n < this.#countBits / 8; n++) value = value * 256 + this.#view.getUint8(at + n);
    return value;
  }
}
