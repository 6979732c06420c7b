// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { type ChainRecipe, makeChain, type TestChain } from "../support/chains.ts";
import { IMAGE_TOOLS, randomNumbers } from "../support/images.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

/** Two of each depth. */
const RECIPES: readonly ChainRecipe[] = Array.from(
  { length: 10 },
  (_, index) => ({ seed: 2000 + index, depth: index % 5 }),
);
const CLIENTS = 4;
const READS_EACH = 100;
const OPTIONS = ["-r", "--file-fmt-type", "QCOW", "--threads", `${CLIENTS}`];

oracleTest(
  "tslosetup serves chains of images as qemu reads them, on every connection",
  [...IMAGE_TOOLS, "nbdinfo", "nbdcopy"],
  async (t) => {
    for (const recipe of RECIPES) {
      using folder = new TempDirectory();
      const chain = await makeChain(folder.path, recipe);
      await t.step(`seed ${recipe.seed}, ${recipe.depth} below`, async () => {
        const image = chain.path;
        await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
        await checkWhole(exported, chain, folder).catch((cause) => {
          throw new Error(`not served well: ${chain.description}`, { cause });
        });
        await checkRandomReads(exported, chain, recipe.seed);
        await exported.detach();
        assert(exported.isGone);
      });
    }
  },
);

async function checkWhole(
  { uri }: ExportedImage,
  { path, rawPath, sizeBytes }: TestChain,
  folder: TempDirectory,
): Promise<void> {
  await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", path, uri);
  assertEquals(Number(await mustSoon("nbdinfo", "--size", uri)), sizeBytes);
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", `--connections=${CLIENTS}`, uri, copy);
  assert(sameBytes(await Deno.readFile(copy), await Deno.readFile(rawPath)));
}

/** Ranges of any alignment and length, asked for by all clients at once. */
async function checkRandomReads(
  { socket }: ExportedImage,
  { rawPath, sizeBytes, description }: TestChain,
  seed: number,
): Promise<void> {
  const expected = await Deno.readFile(rawPath);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => NbdClient.connect(socket)),
  );
  await Promise.all(clients.map(async (connected, index) => {
    using client = connected;
    const random = randomNumbers(seed * CLIENTS + index);
    for (let count = 0; count < READS_EACH; count++) {
      const offset = Math.floor(random() * sizeBytes);
      const lengthBytes = Math.min(1 + Math.floor(random() * 70_000), sizeBytes - offset);
      const bytes = await client.read(offset, lengthBytes);
      const where = `${lengthBytes} bytes at ${offset} differ: ${description}`;
      assert(sameBytes(bytes, expected.subarray(offset, offset + lengthBytes)), where);
    }
  }));
}

oracleTest("tslosetup -l shows the image that was attached, not what it names", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const [image, base] = [folder.file("top.qcow2"), folder.file("base.raw")];
  await must("qemu-img", "create", "-q", "-f", "raw", base, "1M");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image);
  await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
  const list = await exported.program.must("-l");
  assert(list.includes(Deno.realPathSync(image)) && !list.includes("base.raw"), list);
});

oracleTest("tslosetup keeps qemu from writing to a backing file that is in use", [
  ...IMAGE_TOOLS,
], async () => {
  using folder = new TempDirectory();
  const [image, base] = [folder.file("top.qcow2"), folder.file("base.raw")];
  await must("qemu-img", "create", "-q", "-f", "raw", base, "1M");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image);
  const write = ["qemu-io", "-f", "raw", "-c", "write 0 512", base] as const;
  await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
  const error = await must(...write).then(() => undefined, (error) => String(error));
  assert(error?.includes('Failed to get "write" lock'), error);
  await exported.detach();
  await must(...write);
});

oracleTest("tslosetup takes names in an image from where the image was named, as qemu does", [
  ...IMAGE_TOOLS,
], async () => {
  using folder = new TempDirectory();
  const [real, named] = [folder.file("real"), folder.file("named")];
  for (const [place, byte] of [[real, 1], [named, 2]] as const) {
    await Deno.mkdir(place);
    await Deno.writeFile(`${place}/base`, new Uint8Array(65536).fill(byte));
  }
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", `${real}/top`);
  const image = `${named}/link`;
  await Deno.symlink(`${real}/top`, image);
  await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
  await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, exported.uri);
  using client = await NbdClient.connect(exported.socket);
  assertEquals(await client.read(0, 1), Uint8Array.of(2));
});
