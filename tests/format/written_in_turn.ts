/**
 * Random writes to one image, by the program under test and by qemu, beside a model of its disk.
 *
 * @module
 */
import { qemuIo } from "./qcow/write/originals.ts";
import { type Random, stampedBytes } from "./qcow/write/random_ops.ts";
import type { WritableDisk } from "./qcow/write/writable_disk.ts";

const MOST_BYTES = 300_000;

/** Writes and zeros of any length, at any place. */
export function writeAtRandom(
  disk: WritableDisk,
  model: Uint8Array,
  random: Random,
  count: number,
): void {
  for (let id = 1; id <= count; id++) {
    const offset = random.below(model.length);
    const length = 1 + random.below(Math.min(model.length - offset, MOST_BYTES));
    if (random.below(5) === 0) {
      disk.writeZeros(offset, length);
      model.fill(0, offset, offset + length);
    } else {
      const bytes = stampedBytes(offset, length, id);
      disk.write(offset, bytes);
      model.set(bytes, offset);
    }
  }
}

/** @param driver name of the format, as qemu has it */
export async function writeByQemu(
  path: string,
  driver: string,
  model: Uint8Array,
  random: Random,
): Promise<void> {
  const commands = Array.from({ length: 10 }, (_, n) => {
    const start = random.below(model.length / 512) * 512;
    const length = Math.min(512 * (1 + random.below(3000)), model.length - start);
    model.fill(n + 1, start, start + length);
    return `write -P ${n + 1} ${start} ${length}`;
  });
  await qemuIo(path, driver, commands);
}
