// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Device, deviceTest } from "../device/fuse/device.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { checkExport } from "./exported.ts";
import { checkAll } from "./lanes.ts";
import { normalised, type Stretch } from "./oracle.ts";
import { makeToolImage, TOOL_RECIPES, type ToolImage, type ToolRecipe } from "./tool_formats.ts";

const FORMATS = [...new Set(TOOL_RECIPES.map(({ format }) => format))];

for (const wanted of FORMATS) {
  const recipes = TOOL_RECIPES.filter(({ format }) => format === wanted);
  const tools = [...IMAGE_TOOLS, "nbdinfo", ...new Set(recipes.map(({ tool }) => tool))] as const;
  oracleTest(`tslosetup reads every ${wanted} image of its own tools`, tools, async () => {
    await checkAll(recipes, checkRecipe);
  });

  deviceTest(
    `a ${wanted} image is the same on a real device`,
    [...tools, "cmp"],
    async () => {
      const recipe = recipes.findLast(({ filling }) => filling === "some");
      if (recipe === undefined) throw new Error("no image");
      using folder = new TempDirectory();
      const { path, rawPath, sizeBytes } = await makeToolImage(folder.path, recipe);
      await using device = await Device.attach(path, "-r", "-t", recipe.format);
      assertEquals(device.sizeBytes, sizeBytes);
      await must("cmp", "-n", `${recipe.sizeBytes}`, device.path, rawPath);
      await device.detach();
    },
  );
}

async function checkRecipe(recipe: ToolRecipe): Promise<void> {
  using folder = new TempDirectory();
  const image = await makeToolImage(folder.path, recipe);
  const { path, rawPath, sizeBytes } = image;
  const info = JSON.parse(await asRoot().must("--info", "--json", path));
  assertEquals(info["virtual-size"], sizeBytes);
  if (recipe.qemu !== undefined) {
    assertEquals(info["format"], recipe.qemu);
    await must("qemu-img", "compare", "-f", recipe.qemu, "-F", "raw", path, rawPath);
  }
  await checkMap(image);
  await checkExport({ folder, image: path, options: ["-t", recipe.format] }, {
    sizeBytes,
    map: () => ownMap(image),
    compare: ["--image-opts", `driver=raw,file.filename=${rawPath}`],
  });
}

/** qemu takes all of such disks for data: what is listed as zeros has to be zeros in the raw disk. */
async function checkMap(image: ToolImage): Promise<void> {
  const bytes = await Deno.readFile(image.rawPath);
  for (const { start, length, zero } of await ownMap(image)) {
    const run = bytes.subarray(start, start + length);
    if (zero) assertEquals(run.every((byte) => byte === 0), true, `${length} bytes at ${start}`);
  }
}

async function ownMap({ path, sizeBytes }: ToolImage): Promise<Stretch[]> {
  return normalised(JSON.parse(await asRoot().must("--map", "--json", path)), sizeBytes);
}
