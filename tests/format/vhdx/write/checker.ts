/**
 * What has to hold of an image that was closed in order, found by other means than those of the driver.
 *
 * @module
 */

const MIB = 1024 * 1024;
const BAT = 2 * MIB;

/** One line for each fault; the whole file of an image that the builder has made is given. */
export function faultsOfVhdx(
  bytes: Uint8Array<ArrayBuffer>,
  { blocks, hasParent }: { readonly blocks: number; readonly hasParent: boolean },
): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const faults: string[] = [];
  for (const header of [65536, 131072]) {
    if (bytes.subarray(header + 48, header + 64).some((byte) => byte !== 0)) {
      faults.push(`the log is not empty, says the header at ${header}`);
    }
  }
  // What has no blocks: headers, metadata, BAT, log, and what the builder keeps free for bits.
  const seen = new Set([0, 1, 2, 3]);
  const entries = hasParent ? [...Array(blocks).keys(), 4096] : [...Array(blocks).keys()];
  for (const index of entries) {
    const entry = view.getBigUint64(BAT + 8 * index, true);
    const [state, place] = [Number(entry & 7n), Number(entry >> 20n)];
    if (state !== 6 && state !== 7) continue;
    if (state === 7 && (!hasParent || index === 4096)) faults.push(`entry ${index} has state 7`);
    if ((place + 1) * MIB > bytes.length) faults.push(`entry ${index} is not in the file`);
    if (seen.has(place)) faults.push(`entry ${index} shares its place`);
    seen.add(place);
  }
  return faults;
}
