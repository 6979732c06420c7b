/**
 * What has to hold of a Parallels image at any time, found by other means than those of the driver.
 *
 * @module
 */

interface Judgement {
  readonly faults: readonly string[];
  /** Bytes behind the last cluster that is used. */
  readonly leakedBytes: number;
  readonly inUse: number;
}

/** The whole file is given. */
export function judgeParallels(bytes: Uint8Array<ArrayBuffer>): Judgement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isNew = new TextDecoder().decode(bytes.subarray(0, 16)) === "WithouFreSpacExt";
  const cluster = view.getUint32(28, true) * 512;
  const entries = view.getUint32(32, true);
  const start = view.getUint32(48, true) * 512;
  const faults: string[] = [];
  const places: number[] = [];
  for (let n = 0; n < entries; n++) {
    const entry = view.getUint32(64 + 4 * n, true);
    if (entry !== 0) places.push(entry * (isNew ? cluster : 512));
  }
  places.sort((a, b) => a - b);
  let end = start;
  for (const place of places) {
    if (place < end) faults.push(`the cluster at ${place} overlaps what is before it`);
    if (place + cluster > bytes.length) faults.push(`the cluster at ${place} is not in the file`);
    end = place + cluster;
  }
  return { faults, leakedBytes: bytes.length - end, inUse: view.getUint32(44, true) };
}
