// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { IMAGE_TOOLS, type ImageRecipe, makeImage, randomNumbers } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "./qemu_map.ts";

const KIB = 1024;
/** Compressed clusters share a host cluster, and a snapshot doubles it: 4 bits may be too few. */
const REFCOUNT_BITS = [8, 16, 32, 64];
const SNAPSHOT = "before";

/** Every cluster size with every combination of what changes how clusters are stored. */
function recipes(): ImageRecipe[] {
  const all: ImageRecipe[] = [];
  for (let bits = 9; bits <= 21; bits++) {
    const clusterBytes = 2 ** bits;
    const kinds = [["compat=0.10"], ["compression_type=zlib"], ["compression_type=zstd"]];
    if (bits >= 14) kinds.push(["extended_l2=on"], ["extended_l2=on", "compression_type=zstd"]);
    for (const [index, [first = "", ...rest]] of kinds.entries()) {
      const compat = first === "compat=0.10" ? "0.10" : "1.1";
      const refcountBits = REFCOUNT_BITS[(bits + index) % REFCOUNT_BITS.length];
      const options = compat === "0.10" ? [] : [first, ...rest, `refcount_bits=${refcountBits}`];
      const seed = 1000 * bits + index;
      all.push({
        name: [bits, compat, ...options].join("-"),
        compat,
        clusterBytes,
        sizeBytes: Math.max(300 * KIB, 5 * clusterBytes) + 512 * (1 + seed % 7),
        filling: seed % 2 === 0 ? "mixed" : "compressed",
        seed,
        options,
      });
    }
  }
  return all;
}

oracleTest("qcow reads and maps every kind of image as qemu does", IMAGE_TOOLS, async (t) => {
  using folder = new TempDirectory();
  for (const recipe of recipes()) {
    await t.step(recipe.name, async () => {
      const { path, rawPath, sizeBytes } = await makeImage(folder.path, recipe);
      await must("qemu-img", "snapshot", "-c", SNAPSHOT, path);
      await must("qemu-io", "-t", "unsafe", "-f", "qcow2", ...changes(recipe), path);
      using before = new OpenedImage(path, qcow, { readOnly: true, snapshot: SNAPSHOT });
      checkBytes(before, rawPath, sizeBytes);
      await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, rawPath);
      using active = new OpenedImage(path, qcow);
      checkBytes(active, rawPath, sizeBytes);
      await checkMap(active, path);
      Deno.removeSync(path);
      Deno.removeSync(rawPath);
    });
  }
});

/** Writes, zeros and discards after the snapshot. */
function changes({ sizeBytes, seed }: ImageRecipe): string[] {
  const random = randomNumbers(seed);
  const actions = ["write -P 7", "write -z", "discard", "write -z -u"];
  return Array.from({ length: 12 }, (_, index) => {
    const start = Math.floor(random() * sizeBytes / 512);
    const count = 1 + Math.floor(random() * Math.min(sizeBytes / 512 - start - 1, 300));
    return ["-c", `${actions[index % actions.length]} ${start * 512} ${count * 512}`];
  }).flat();
}

function checkBytes(opened: OpenedImage, rawPath: string, sizeBytes: number): void {
  assertEquals(opened.image.sizeBytes, sizeBytes);
  assert(sameBytes(opened.read(0, sizeBytes), readRange(rawPath, 0, sizeBytes)));
}
