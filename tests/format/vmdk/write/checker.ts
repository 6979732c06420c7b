/**
 * What has to hold of a hosted sparse extent at any time, found by other means than those of the driver.
 *
 * @module
 */

const SECTOR = 512;

interface Shape {
  readonly view: DataView;
  readonly grains: number;
  readonly grain: number;
  readonly perTable: number;
}

function shapeOf(bytes: Uint8Array<ArrayBuffer>): Shape {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const grain = Number(view.getBigUint64(20, true)) * SECTOR;
  const grains = Math.ceil(Number(view.getBigUint64(12, true)) * SECTOR / grain);
  return { view, grains, grain, perTable: view.getUint32(44, true) };
}

/** Entries of all grains, by the directory whose sector is at `at` in the header. */
function entriesBy({ view, grains, perTable }: Shape, at: 48 | 56): number[] {
  const directory = Number(view.getBigUint64(at, true)) * SECTOR;
  return Array.from({ length: grains }, (_, n) => {
    const table = view.getUint32(directory + 4 * Math.floor(n / perTable), true) * SECTOR;
    return view.getUint32(table + 4 * (n % perTable), true);
  });
}

/** One line for each fault that could lose data; the whole file is given. */
export function faultsOfVmdk(bytes: Uint8Array<ArrayBuffer>): string[] {
  if (bytes.length < SECTOR) return ["no header"];
  const shape = shapeOf(bytes);
  const overhead = Number(shape.view.getBigUint64(64, true)) * SECTOR;
  const faults: string[] = [];
  const seen = new Set<number>();
  for (const entry of entriesBy(shape, 56)) {
    if (entry < 2) continue;
    const start = entry * SECTOR;
    if (seen.has(entry)) faults.push(`two grains are at ${entry}`);
    seen.add(entry);
    if (start < overhead) faults.push(`a grain is at ${entry}, among the metadata`);
    if (start + shape.grain > bytes.length) faults.push(`the grain at ${entry} is not in the file`);
  }
  return faults;
}

/** Whether the copies of all tables say the same as the tables, and the image counts as closed in order. */
export function isClosed(bytes: Uint8Array<ArrayBuffer>): boolean {
  const shape = shapeOf(bytes);
  return `${entriesBy(shape, 48)}` === `${entriesBy(shape, 56)}` && bytes[72] === 0;
}

/** Bytes of whole grains behind the metadata that no grain is in; what crashes may leave. */
export function leakedGrains(bytes: Uint8Array<ArrayBuffer>): number {
  const shape = shapeOf(bytes);
  const overhead = Number(shape.view.getBigUint64(64, true)) * SECTOR;
  const used = entriesBy(shape, 56).filter((entry) => entry > 1).length;
  return Math.floor((bytes.length - overhead) / shape.grain) - used;
}
