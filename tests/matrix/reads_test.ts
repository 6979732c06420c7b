// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Device, deviceTest } from "../device/fuse/device.ts";
import { sameBytes } from "../format/opened_image.ts";
import { NbdClient } from "../integration/nbd_client.ts";
import { IMAGE_TOOLS, randomNumbers } from "../support/images.ts";
import { ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { makeMatrixImage, rawCopy } from "./make.ts";
import { chooseRecipes } from "./recipe.ts";

/** Images of which every byte matters, in another choice than the matrix's own. */
const RECIPES = chooseRecipes(60, 2).filter(({ filling }) => filling !== "empty");
const IMAGES = 20;
const CONNECTIONS = 4;
const READS = 150;

oracleTest(
  "random reads over four connections are qemu's bytes",
  IMAGE_TOOLS,
  async () => {
    for (const recipe of RECIPES.slice(0, IMAGES)) {
      using folder = new TempDirectory();
      const image = await makeMatrixImage(folder.path, recipe);
      const raw = await Deno.readFile(await rawCopy(image));
      const options = ["-r", "-t", "QCOW", ...image.options];
      await using exported = await ExportedImage.attach({ folder, image: image.path, options });
      const connections = Array.from({ length: CONNECTIONS }, async (_, index) => {
        using client = await NbdClient.connect(exported.socket);
        await readAtRandom(client, raw, recipe.seed + index);
      });
      await Promise.all(connections).catch((cause) => {
        throw new Error(`${recipe.name} reads as something else`, { cause });
      });
    }
  },
);

/** Any alignment, and lengths from a byte to some clusters. */
async function readAtRandom(client: NbdClient, raw: Uint8Array, seed: number): Promise<void> {
  const random = randomNumbers(seed);
  for (let count = 0; count < READS; count++) {
    const offset = Math.floor(random() * raw.length);
    const wanted = 1 + Math.floor(random() ** 6 * 256 * 1024);
    const length = Math.min(wanted, raw.length - offset);
    const bytes = await client.read(offset, length);
    assert(sameBytes(bytes, raw.subarray(offset, offset + length)), `${length} at ${offset}`);
  }
}

deviceTest(
  "images of the matrix are the same on real devices",
  [...IMAGE_TOOLS, "cmp"],
  async () => {
    for (const recipe of RECIPES.slice(-IMAGES)) {
      using folder = new TempDirectory();
      const image = await makeMatrixImage(folder.path, recipe);
      const raw = await rawCopy(image);
      await using device = await Device.attach(image.path, "-r", "-t", "QCOW", ...image.options);
      assertEquals(device.sizeBytes, image.sizeBytes, recipe.name);
      await must("cmp", device.path, raw);
      await device.detach();
    }
  },
);
