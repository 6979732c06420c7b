// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { IMAGE_TOOLS, imageRecipes, makeImage, type TestImage } from "../support/images.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

/** As many at once as keep a small machine busy. */
const LANES = 2;

oracleTest(
  "tslosetup --socket serves every image of the matrix as qemu-img reads it",
  [...IMAGE_TOOLS, "nbdinfo", "nbdcopy"],
  async () => {
    const recipes = imageRecipes();
    const lane = async (): Promise<void> => {
      for (let recipe = recipes.shift(); recipe !== undefined; recipe = recipes.shift()) {
        using folder = new TempDirectory();
        const image = await makeImage(folder.path, recipe);
        await checkImage(image, folder).catch((cause) => {
          throw new Error(`${image.name} is not served well`, { cause });
        });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  },
);

async function checkImage(image: TestImage, folder: TempDirectory): Promise<void> {
  const options = ["--file-fmt-type", "QCOW"];
  await using exported = await ExportedImage.attach({ folder, image: image.path, options });
  const { uri } = exported;
  await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image.path, uri);
  const info = JSON.parse(await must("qemu-img", "info", "--output=json", image.path));
  assertEquals(Number(await mustSoon("nbdinfo", "--size", uri)), info["virtual-size"]);
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", "--connections=4", uri, copy);
  assert(sameBytes(await Deno.readFile(copy), await Deno.readFile(image.rawPath)));
  await exported.detach();
  assert(exported.isGone);
  // A driver that only reads, and -r was not given.
  assertEquals(
    exported.attached.stderr,
    `tslosetup: ${image.path}: warning: the QCOW driver only reads: the device is read-only\n`,
  );
}
