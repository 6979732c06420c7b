/**
 * What has to hold of a VDI image at any time, found by other means than those of the driver.
 *
 * @module
 */

/** One line for each fault that could lose data; the whole file is given. */
export function faultsOfVdi(bytes: Uint8Array<ArrayBuffer>): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 512) return ["no header"];
  const [map, data] = [view.getUint32(340, true), view.getUint32(344, true)];
  const [block, extra] = [view.getUint32(376, true), view.getUint32(380, true)];
  const [blocks, count] = [view.getUint32(384, true), view.getUint32(388, true)];
  const faults: string[] = [];
  if (count > blocks) faults.push(`${count} of ${blocks} blocks are stored`);
  const seen = new Set<number>();
  for (let index = 0; index < blocks; index++) {
    const entry = view.getUint32(map + 4 * index, true);
    if (entry >= 0xfffffffe) continue;
    if (seen.has(entry)) faults.push(`stored block ${entry} is used twice`);
    seen.add(entry);
    if (entry >= count) faults.push(`stored block ${entry} is not counted`);
    const end = data + (entry + 1) * (extra + block);
    if (end > bytes.length) faults.push(`stored block ${entry} is not in the file`);
  }
  return faults;
}

/** How many blocks count as stored, and are not used; what crashes may leave. */
export function leaksOfVdi(bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [map, blocks] = [view.getUint32(340, true), view.getUint32(384, true)];
  let used = 0;
  for (let index = 0; index < blocks; index++) {
    if (view.getUint32(map + 4 * index, true) < 0xfffffffe) used++;
  }
  return view.getUint32(388, true) - used;
}
