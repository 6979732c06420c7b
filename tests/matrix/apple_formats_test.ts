// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot } from "../support/program.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";
import { APPLE_RECIPES, type AppleRecipe, makeAppleImage } from "./apple_formats.ts";
import { checkExport } from "./exported.ts";
import { checkAll } from "./lanes.ts";
import { normalised, type Stretch } from "./oracle.ts";

for (const wanted of new Set(APPLE_RECIPES.map(({ format }) => format))) {
  oracleTest(
    `tslosetup reads every ${wanted} image of the matrix`,
    [...IMAGE_TOOLS, "nbdinfo"],
    async () => {
      await checkAll(APPLE_RECIPES.filter(({ format }) => format === wanted), checkRecipe);
    },
  );
}

async function checkRecipe(recipe: AppleRecipe): Promise<void> {
  using folder = new TempDirectory();
  const { path, rawPath } = await makeAppleImage(folder.path, recipe);
  const { format, sizeBytes } = recipe;
  const info = JSON.parse(await asRoot().must("--info", "--json", path));
  assertEquals([info.format, info["virtual-size"]], [format.toLowerCase(), sizeBytes]);
  const map = async (): Promise<Stretch[]> =>
    normalised(JSON.parse(await asRoot().must("--map", "--json", path)), sizeBytes);
  const bytes = Deno.readFileSync(rawPath);
  for (const { start, length, zero } of await map()) {
    const run = bytes.subarray(start, start + length);
    if (zero) assertEquals(run.every((byte) => byte === 0), true, `${length} bytes at ${start}`);
  }
  await checkExport({ folder, image: path, options: ["-t", format] }, {
    sizeBytes,
    map,
    compare: ["--image-opts", `driver=raw,file.filename=${rawPath}`],
  });
}
