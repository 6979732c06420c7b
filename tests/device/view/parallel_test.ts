/**
 * Many views at once, made while others go. TSLOSETUP_ROUNDS says how often.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { nothingBelow, VIEW, viewTest } from "./view.ts";

const AT_ONCE = 20;
const ROUNDS = Number(Deno.env.get("TSLOSETUP_ROUNDS") ?? 2);

/** Images that differ: each begins with its number. */
async function makeImages(folder: TempDirectory): Promise<string[]> {
  const images: string[] = [];
  for (let number = 0; number < AT_ONCE; number++) {
    const [raw, image] = [folder.file("raw"), folder.file(`disk${number}.qcow2`)];
    Deno.writeFileSync(raw, new Uint8Array(64 * 1024).fill(number));
    await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image);
    images.push(image);
  }
  return images;
}

viewTest(`${AT_ONCE} views at once, while as many go`, ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const program = asRoot();
  const images = await makeImages(folder);
  const attach = (image: string) =>
    program.run(...VIEW, "-r", "-t", "QCOW", "--find", "--show", image);
  const detach = (devices: readonly string[], round: number) =>
    Promise.all(
      devices.map((device, number) =>
        (number + round) % 2 === 0 ? must("losetup", "-d", device) : program.must("-d", device)
      ),
    );
  let old: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [finished] = await Promise.all([Promise.all(images.map(attach)), detach(old, round)]);
    for (const { code, stderr } of finished) assertEquals([code, stderr], [0, ""]);
    old = finished.map(({ stdout }) => stdout.trim());
    assertEquals(new Set(old).size, AT_ONCE);
    const firstBytes = old.map((device) => Deno.readFileSync(device)[0]);
    assertEquals(firstBytes, images.map((_, number) => number));
  }
  await detach(old, ROUNDS);
  await nothingBelow();
  assertEquals(program.processes(), []);
});
