/**
 * Where things are in the file of an image, and changing them there: for images that are damaged on
 * purpose. It is written from the specification alone.
 *
 * @module
 */

const OFFSET = 0x00ff_ffff_ffff_fe00n;

export const COPIED = 1n << 63n;
export const COMPRESSED = 1n << 62n;

/** The bytes of an image of at least 8 bits a reference count. */
export class ImageBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly clusterBytes: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly snapshotsOffset: number;
  readonly #entryBytes: number;
  readonly #countBytes: number;

  constructor(readonly path: string) {
    this.bytes = Deno.readFileSync(path);
    this.view = new DataView(this.bytes.buffer);
    this.clusterBytes = 2 ** this.view.getUint32(20);
    this.l1Offset = this.u64(40);
    this.refcountTableOffset = this.u64(48);
    this.snapshotsOffset = this.u64(64);
    const isVersion2 = this.view.getUint32(4) === 2;
    this.#entryBytes = !isVersion2 && (this.u64(72) & 16) !== 0 ? 16 : 8;
    this.#countBytes = isVersion2 ? 2 : 2 ** this.view.getUint32(96) / 8;
  }

  u64(at: number): number {
    return Number(this.view.getBigUint64(at));
  }

  /** Where the offset in an entry points to. */
  target(entryAt: number): number {
    return Number(this.view.getBigUint64(entryAt) & OFFSET);
  }

  /** Where the entry for a guest's cluster is, of a table that there is. */
  entryAt(guestCluster: number): number {
    const perTable = this.clusterBytes / this.#entryBytes;
    const table = this.target(this.l1Offset + Math.floor(guestCluster / perTable) * 8);
    return table + guestCluster % perTable * this.#entryBytes;
  }

  setEntry(guestCluster: number, entry: bigint): void {
    this.view.setBigUint64(this.entryAt(guestCluster), entry);
  }

  /** Where the count of the cluster at `hostOffset` is. */
  countAt(hostOffset: number): number {
    const cluster = hostOffset / this.clusterBytes;
    const perBlock = this.clusterBytes / this.#countBytes;
    const block = this.target(this.refcountTableOffset + Math.floor(cluster / perBlock) * 8);
    return block + cluster % perBlock * this.#countBytes;
  }

  count(hostOffset: number): number {
    const at = this.countAt(hostOffset);
    return this.#countBytes === 1 ? this.view.getUint8(at) : this.view.getUint16(at);
  }

  setCount(hostOffset: number, count: number): void {
    const at = this.countAt(hostOffset);
    if (this.#countBytes === 1) this.view.setUint8(at, count);
    else this.view.setUint16(at, count);
  }

  /** Where the directory of bitmaps is, of which there are some. */
  get bitmapDirectory(): number {
    for (let at = this.view.getUint32(100); this.view.getUint32(at) !== 0;) {
      if (this.view.getUint32(at) === 0x2385_2875) return this.u64(at + 24);
      at += 8 + Math.ceil(this.view.getUint32(at + 4) / 8) * 8;
    }
    throw new Error("no bitmaps");
  }

  get isExtended(): boolean {
    return this.#entryBytes === 16;
  }

  get isMarkedCorrupt(): boolean {
    return (this.u64(72) & 2) !== 0;
  }

  save(): void {
    Deno.writeFileSync(this.path, this.bytes);
  }
}
