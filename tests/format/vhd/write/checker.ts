/**
 * What has to hold of a VHD image at any time, found by other means than those of the driver.
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

const SECTOR = 512;
const NONE = 0xffffffff;

interface Layout {
  readonly block: number;
  readonly bitmap: number;
  readonly isDifferencing: boolean;
  /** Where each block of the disk begins in the file, if it is stored. */
  readonly starts: readonly (number | undefined)[];
  /** Where the metadata at the start of the file end. */
  readonly metadataEnd: number;
}

/** Of an image that has its dynamic header behind the copy of its footer, and then its table. */
function layoutOf(view: DataView): Layout {
  const header = Number(view.getBigUint64(16));
  const table = Number(view.getBigUint64(header + 16));
  const [entries, block] = [view.getUint32(header + 28), view.getUint32(header + 32)];
  const bitmap = Math.ceil(block / SECTOR / 8 / SECTOR) * SECTOR;
  const starts = Array.from({ length: entries }, (_, index) => {
    const sector = view.getUint32(table + 4 * index);
    return sector === NONE ? undefined : sector * SECTOR;
  });
  const metadataEnd = table + Math.ceil(4 * entries / SECTOR) * SECTOR;
  return { block, bitmap, isDifferencing: view.getUint32(60) === 4, starts, metadataEnd };
}

/** One line for each fault; the whole file is given. There is a footer at its end, and its copy, always. */
export function faultsOfVhd(bytes: Bytes): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const faults: string[] = [];
  const end = bytes.length - SECTOR;
  for (const at of [0, end]) {
    const isThere = bytes.length % SECTOR === 0 && new TextDecoder()
          .decode(bytes.subarray(at, at + 8)) === "conectix";
    if (!isThere || sumOf(bytes.subarray(at, at + SECTOR)) !== view.getUint32(at + 64)) {
      faults.push(`no footer at ${at}`);
    }
  }
  if (bytes.subarray(0, SECTOR).some((byte, index) => byte !== bytes[end + index])) {
    faults.push("the copy of the footer is another one");
  }
  const { block, bitmap, starts, metadataEnd } = layoutOf(view);
  const stored = starts.filter((start) => start !== undefined).sort((a, b) => a - b);
  let last = metadataEnd;
  for (const start of stored) {
    if (start < last) faults.push(`the block at ${start} lies in what ends at ${last}`);
    last = start + bitmap + block;
  }
  if (last > end) faults.push("the last block lies behind the footer");
  return faults;
}

function sumOf(footer: Bytes): number {
  let sum = 0;
  for (const [index, byte] of footer.entries()) if (index < 64 || index >= 68) sum += byte;
  return ~sum >>> 0;
}

/** Bytes of the file that belong to nothing, but for what may be left between two blocks. */
export function unusedBytes(bytes: Bytes): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { block, bitmap, starts, metadataEnd } = layoutOf(view);
  const stored = starts.filter((start) => start !== undefined);
  const end = Math.max(metadataEnd, ...stored.map((start) => start + bitmap + block));
  return bytes.length - SECTOR - end;
}

/**
 * What a program reads of a dynamic image that takes sectors with bit 0 for zeros, as VirtualBox does; of a
 * differencing one, `disk`.
 */
export function readByBits(bytes: Bytes, disk: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { block, isDifferencing, starts } = layoutOf(view);
  if (isDifferencing) return disk;
  const read = disk.slice();
  for (let sector = 0; sector < disk.length / SECTOR; sector++) {
    const start = starts[Math.floor(sector * SECTOR / block)];
    if (start === undefined) continue;
    const inBlock = sector % (block / SECTOR);
    const byte = bytes[start + Math.floor(inBlock / 8)] ?? 0;
    if ((byte >> 7 - inBlock % 8 & 1) === 0) read.fill(0, sector * SECTOR, (sector + 1) * SECTOR);
  }
  return read;
}
