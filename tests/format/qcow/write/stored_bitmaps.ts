/**
 * The persistent bitmaps in the file of an image, read by the specification alone.
 *
 * @module
 */

const OFFSET = 0x00ff_ffff_ffff_fe00n;

export interface StoredBitmap {
  readonly name: string;
  /** Whether it says of itself that it is valid, and the header says so of all. */
  readonly isValid: boolean;
  readonly isAuto: boolean;
  readonly granularity: number;
  readonly tableEntries: number;
  /** Whether the part of the disk is marked that a byte lies in. */
  has(guestOffset: number): boolean;
}

export function storedBitmaps(bytes: Uint8Array<ArrayBuffer>): StoredBitmap[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u64 = (at: number): number => Number(view.getBigUint64(at));
  const clusterBytes = 2 ** view.getUint32(20);
  const areValid = (u64(88) & 1) !== 0;
  for (let at = view.getUint32(100); view.getUint32(at) !== 0;) {
    const [type, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (type === 0x23852875) return directory(u64(at + 24), view.getUint32(at + 8));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return [];

  function directory(start: number, count: number): StoredBitmap[] {
    const bitmaps: StoredBitmap[] = [];
    for (let at = start; bitmaps.length < count;) {
      const [nameBytes, extraBytes] = [view.getUint16(at + 18), view.getUint32(at + 20)];
      const nameAt = at + 24 + extraBytes;
      const flags = view.getUint32(at + 12);
      const granularity = 2 ** view.getUint8(at + 17);
      const table = u64(at);
      bitmaps.push({
        name: new TextDecoder().decode(bytes.slice(nameAt, nameAt + nameBytes)),
        isValid: areValid && (flags & 1) === 0,
        isAuto: (flags & 2) !== 0,
        granularity,
        tableEntries: view.getUint32(at + 8),
        has: (guestOffset) => {
          const bit = Math.floor(guestOffset / granularity);
          const entry = view.getBigUint64(table + Math.floor(bit / clusterBytes / 8) * 8);
          const cluster = Number(entry & OFFSET);
          if (cluster === 0) return (entry & 1n) !== 0n;
          const inCluster = bit % (clusterBytes * 8);
          return (view.getUint8(cluster + (inCluster >>> 3)) >>> (inCluster & 7) & 1) !== 0;
        },
      });
      at += Math.ceil((24 + nameBytes + extraBytes) / 8) * 8;
    }
    return bitmaps;
  }
}
