/**
 * Writing to a disk at random places, by qemu-io.
 *
 * @module
 */
import { randomNumbers } from "./images.ts";
import { must } from "./tools.ts";

/** Writes to an image of one of qemu's formats, in an order that is not that of the disk. */
export async function fillDisk(
  path: string,
  format: string,
  { sizeBytes, seed }: { readonly sizeBytes: number; readonly seed: number },
): Promise<void> {
  const random = randomNumbers(seed + 1);
  const sectors = sizeBytes / 512;
  const commands = Array.from({ length: 12 }, () => {
    const start = Math.floor(random() * sectors);
    const count = Math.min(1 + Math.floor(random() * 900), sectors - start);
    return ["-c", `write -P ${1 + Math.floor(random() * 255)} ${start * 512} ${count * 512}`];
  });
  await must("qemu-io", "-t", "unsafe", "-f", format, ...commands.flat(), path);
}
