/**
 * Two equal images, one of which the program changes, and qemu the other one.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { randomNumbers } from "../support/images.ts";
import { ExportedImage } from "../support/program.ts";
import { must, TempDirectory } from "../support/tools.ts";

/** What images they are. */
export interface Twins {
  /** As `-t` has it, and as qemu does. */
  readonly format: string;
  readonly driver: string;
  /** Of `qemu-img create`. */
  readonly options: string;
  readonly sizeBytes: number;
}

/** Writes and zeros for qemu-io. */
function commands(seed: number, sizeBytes: number): string[] {
  const random = randomNumbers(seed);
  return Array.from({ length: 30 }, () => {
    const start = 512 * Math.floor(random() * sizeBytes / 512);
    const length = Math.min(512 * (1 + Math.floor(random() ** 2 * 4000)), sizeBytes - start);
    const kind = random() < 0.7 ? `write -P ${1 + Math.floor(random() * 255)}` : "write -z";
    return `${kind} ${start} ${length}`;
  }).flatMap((line) => ["-c", line]);
}

/** Makes both of them, has them be changed twice, and compares them; the program's one is in order. */
export async function checkTwins({ format, driver, options, sizeBytes }: Twins): Promise<void> {
  using folder = new TempDirectory();
  const [path, twin] = [folder.file("disk"), folder.file("twin")];
  await must("qemu-img", "create", "-q", "-f", driver, "-o", options, path, `${sizeBytes}`);
  await must("cp", path, twin);
  for (const seed of [1, 2]) {
    const attach = { folder, image: path, options: ["-t", format] };
    await using exported = await ExportedImage.attach(attach);
    assertEquals(exported.attached.stderr, "");
    await must("qemu-io", "-f", "raw", ...commands(seed, sizeBytes), exported.uri);
    await must("qemu-io", "-t", "unsafe", "-f", driver, ...commands(seed, sizeBytes), twin);
    await exported.detach();
    assertEquals(exported.isGone, true);
    await must("qemu-img", "check", "-q", "-f", driver, path);
    await must("qemu-img", "compare", "-f", driver, "-F", driver, path, twin);
  }
}
