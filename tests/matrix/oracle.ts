/**
 * What qemu's tools say of an image, in a form that can be compared.
 *
 * @module
 */
import { pause } from "../support/patience.ts";
import { must } from "../support/tools.ts";
import { type MatrixImage, SECRET } from "./make.ts";

/** A run of a disk, as far as both sides tell the same of it. */
export interface Stretch {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly data: boolean;
}

/** As `qemu-img map` lists it. */
export async function qemuMap({ qemuOptions, sizeBytes }: MatrixImage): Promise<Stretch[]> {
  const words = ["map", ...SECRET, "--output=json", "--image-opts", qemuOptions];
  return normalised(JSON.parse(await must("qemu-img", ...words)), sizeBytes);
}

/** As an NBD client lists it: bit 0 is a hole, bit 1 zeros. */
export async function nbdMap(uri: string, sizeBytes: number): Promise<Stretch[]> {
  const list: { offset: number; length: number; type: number }[] = JSON.parse(
    await must("nbdinfo", "--map", "--json", uri),
  );
  const stretches = list.map(({ offset, length, type }) => ({
    start: offset,
    length,
    zero: (type & 2) !== 0,
    data: (type & 1) === 0,
  }));
  return normalised(stretches, sizeBytes);
}

/** Neighbours of the same kind are one; what qemu adds to a disk of no whole sectors is dropped. */
export function normalised(list: readonly Stretch[], sizeBytes: number): Stretch[] {
  const joined: Stretch[] = [];
  for (const { start, length, zero, data } of list) {
    const last = joined.at(-1);
    const kept = Math.min(length, sizeBytes - start);
    if (kept <= 0) continue;
    if (last !== undefined && last.zero === zero && last.data === data) {
      joined[joined.length - 1] = { ...last, length: last.length + kept };
    } else {
      joined.push({ start, length: kept, zero, data });
    }
  }
  return joined;
}

/** All that `qemu-img info` says. */
export async function qemuInfo({ path }: MatrixImage): Promise<Record<string, unknown>> {
  return JSON.parse(await must("qemu-img", "info", "--output=json", path));
}

/** What `qemu-img check` says, but for how it names the file. */
export async function qemuCheck({ qemuOptions }: MatrixImage): Promise<Record<string, unknown>> {
  const words = ["check", ...SECRET, "--output=json", "--image-opts", qemuOptions];
  const { filename: _, ...numbers } = JSON.parse(await must("qemu-img", ...words));
  return numbers;
}

/**
 * Waits until two ways to ask give the same answer: where the holes of a file are, and how much
 * space it takes, changes for a moment after it was written.
 *
 * @throws whatever `check` throws in the end
 */
export async function agreeing<T>(
  ask: () => Promise<readonly [T, T]>,
  check: (one: T, other: T) => void,
): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    const [one, other] = await ask();
    if (JSON.stringify(one) === JSON.stringify(other)) return;
    await pause(20 << tries);
  }
  check(...await ask());
}
