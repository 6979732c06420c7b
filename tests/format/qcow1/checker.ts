/**
 * Whether an image of version 1 is valid: no part of its file is used for two things. There are no counts,
 * and so no leaks.
 *
 * It is written from qemu's block/qcow.c alone, and shares no code with what it judges.
 *
 * @module
 */

const COMPRESSED = 1n << 63n;
const SECTOR_BYTES = 512;

/** One line for each fault that could lose data. */
export function checkVersion1(bytes: Uint8Array<ArrayBuffer>): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const faults: string[] = [];
  const owners = new Map<number, string>();
  const claim = (what: string, start: number, lengthBytes: number): void => {
    if (start + lengthBytes > bytes.length) faults.push(`${what} is not in the file`);
    if (start % SECTOR_BYTES !== 0) faults.push(`${what} is not aligned`);
    for (let at = start; at < start + lengthBytes; at += SECTOR_BYTES) {
      const other = owners.get(at);
      if (other !== undefined) faults.push(`${what} overlaps ${other} at ${at}`);
      owners.set(at, what);
    }
  };
  const size = Number(view.getBigUint64(24));
  const [cluster, entries] = [2 ** view.getUint8(32), 2 ** view.getUint8(33)];
  const l1 = Number(view.getBigUint64(40));
  const tables = Math.ceil(size / cluster / entries);
  claim("head", 0, l1 + tables * 8);
  for (let table = 0; table < tables; table++) {
    const start = Number(view.getBigUint64(l1 + table * 8));
    if (start === 0) continue;
    claim(`table ${table}`, start, entries * 8);
    if (start + entries * 8 > bytes.length) continue;
    for (let entry = 0; entry < entries; entry++) {
      const place = view.getBigUint64(start + entry * 8);
      // Compressed clusters share sectors.
      if (place === 0n || (place & COMPRESSED) !== 0n) continue;
      claim(`cluster ${table * entries + entry}`, Number(place), cluster);
    }
  }
  return faults;
}
