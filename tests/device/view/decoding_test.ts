// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { makeMatrixImage, rawCopy } from "../../matrix/make.ts";
import { chooseRecipes } from "../../matrix/recipe.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../support/images.ts";
import { asRoot, statesIn } from "../../support/program.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { readAtRandom } from "./read_at_random.ts";
import { nothingBelow, VIEW, View, viewTest } from "./view.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const DECODE = ["--kernel-decode", "on"] as const;

/** A kernel before 6.15 says so, in one line, and leaves nothing. */
const CANNOT = /^tslosetup: .*decompresses.*Linux 6\.15.*\n$/;

/** A disk of which a half is easy to compress, cluster by cluster. */
function makeRaw(path: string, sizeBytes: number): Uint8Array {
  const random = randomNumbers(17);
  const bytes = Uint8Array.from(
    { length: sizeBytes },
    (_, at) => at & 512 ? random() * 256 : 97 + random() * 3,
  );
  Deno.writeFileSync(path, bytes);
  return bytes;
}

/** Attaches it; undefined if the kernel cannot, and says so. */
async function attachDecoding(
  image: string,
  ...options: readonly string[]
): Promise<View | undefined> {
  const words = [...VIEW, ...DECODE, "-r", "-t", "QCOW", ...options, "--find", "--show", image];
  const { code, stdout, stderr } = await asRoot().run(...words);
  if (code === 0) {
    await must("losetup", "-d", stdout.trim());
    await nothingBelow();
    return await View.attach(image, ...DECODE, "-t", "QCOW", ...options);
  }
  assertMatch(stderr, CANNOT);
  await nothingBelow();
  return undefined;
}

for (const method of ["zlib", "zstd"] as const) {
  viewTest(`the kernel decompresses ${method}, without any process`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
    makeRaw(raw, 5 * MIB + 1536);
    const how = ["-c", "-O", "qcow2", "-o", `compression_type=${method}`];
    await must("qemu-img", "convert", ...how, raw, image);
    await using view = await attachDecoding(image);
    if (view === undefined) return;
    assertEquals(statesIn(view.program.stateDirectory), []);
    await must("cmp", view.path, raw);
    await readAtRandom(view.path, raw, 3);
  });
}

viewTest("clusters that the kernel cannot decompress come from a daemon", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
  const base = folder.file("base.qcow2");
  makeRaw(raw, 8 * MIB);
  const large = ["-c", "-O", "qcow2", "-o", "cluster_size=2M"];
  await must("qemu-img", "convert", ...large, raw, base);
  const create = ["create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image];
  await must("qemu-img", ...create);
  const piece = folder.file("piece");
  Deno.writeFileSync(piece, new Uint8Array(64 * KIB).fill(7));
  await must("qemu-io", "-f", "qcow2", "-c", `write -c -s ${piece} 1M 64K`, image);
  await must("qemu-io", "-f", "raw", "-c", `write -s ${piece} 1M 64K`, raw);
  await using view = await attachDecoding(image);
  if (view === undefined) return;
  assertEquals(statesIn(view.program.stateDirectory).length, 1);
  await must("cmp", view.path, raw);
});

/** Of others, the kernel has nothing to decompress. */
const RECIPES = chooseRecipes(120, 5)
  .filter(({ filling, clusterBits, encryption }) =>
    (filling === "compressed" || filling === "mixed") && clusterBits >= 12 && encryption === "none"
  ).slice(0, 16);

viewTest("images of the matrix are qemu's when the kernel decompresses", IMAGE_TOOLS, async () => {
  let decoding = 0;
  for (const recipe of RECIPES) {
    using folder = new TempDirectory();
    const image = await makeMatrixImage(folder.path, recipe);
    const raw = await rawCopy(image);
    const words = [...VIEW, ...DECODE, "-r", "-t", "QCOW", "--find", "--show", image.path];
    const { code, stdout, stderr } = await asRoot().run(...words);
    if (code !== 0) {
      assert(CANNOT.test(stderr) || /all of its clusters are compressed/.test(stderr), stderr);
      continue;
    }
    const path = stdout.trim();
    try {
      await must("cmp", path, raw);
      await readAtRandom(path, raw, recipe.seed);
      // Where the kernel decompresses, it reads nothing past the page cache.
      const name = path.slice("/dev/".length);
      if (Deno.readTextFileSync(`/sys/block/${name}/loop/dio`) === "0\n") decoding++;
    } finally {
      await must("losetup", "-d", path);
    }
  }
  const [major = 0, minor = 0] = Deno.osRelease().split(".").map(Number);
  if (major * 100 + minor >= 615) assertGreater(decoding, 2);
  await nothingBelow();
});
