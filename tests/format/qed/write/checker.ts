/**
 * What has to hold of a QED image at any time, found by other means than those of the driver
 * (qemu, docs/interop/qed_spec.txt, "Consistency checking").
 *
 * @module
 */

interface Judgement {
  readonly faults: readonly string[];
  readonly leaks: number;
  readonly needsCheck: boolean;
}

/** The whole file is given. */
export function judgeQed(bytes: Uint8Array<ArrayBuffer>): Judgement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const cluster = view.getUint32(4, true);
  const table = view.getUint32(8, true);
  const clusters = Math.floor(bytes.length / cluster);
  const faults: string[] = [];
  const owners = new Map<number, string>();
  const claim = (what: string, offset: number, count: number): boolean => {
    const first = offset / cluster;
    if (!Number.isInteger(first) || first + count > clusters) {
      faults.push(`${what} is at ${offset}`);
      return false;
    }
    for (let n = first; n < first + count; n++) {
      const owner = owners.get(n);
      if (owner !== undefined) faults.push(`cluster ${n} is used for ${owner} and ${what}`);
      owners.set(n, what);
    }
    return true;
  };
  const entriesAt = (offset: number): number[] =>
    Array.from(
      { length: table * cluster / 8 },
      (_, n) => Number(view.getBigUint64(offset + 8 * n, true)),
    );
  claim("the header", 0, view.getUint32(12, true));
  const l1 = Number(view.getBigUint64(40, true));
  claim("L1", l1, table);
  for (const [index, l2] of entriesAt(l1).entries()) {
    if (l2 === 0 || !claim(`L2 ${index}`, l2, table)) continue;
    for (const [n, place] of entriesAt(l2).entries()) {
      if (place > 1) claim(`entry ${n} of L2 ${index}`, place, 1);
    }
  }
  const needsCheck = (view.getUint32(16, true) & 2) !== 0;
  return { faults, leaks: clusters - owners.size, needsCheck };
}
