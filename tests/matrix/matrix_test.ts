// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot } from "../support/program.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";
import { checkExport } from "./exported.ts";
import { makeMatrixImage, type MatrixImage, SECRET } from "./make.ts";
import { checkAll } from "./lanes.ts";
import { agreeing, normalised, qemuCheck, qemuInfo, qemuMap } from "./oracle.ts";
import { chooseRecipes, IMAGES, missingPairs, type Recipe } from "./recipe.ts";

Deno.test("chooseRecipes() has every pair of features that is possible", () => {
  const recipes = chooseRecipes(IMAGES);
  assertEquals(missingPairs(recipes), []);
  assertEquals(new Set(recipes.map(({ name }) => name)).size, IMAGES);
  assertEquals(chooseRecipes(10), chooseRecipes(10));
});

oracleTest(
  "tslosetup reads, lists, describes and checks every image of the matrix as qemu does",
  [...IMAGE_TOOLS, "nbdinfo"],
  async () => {
    await checkAll(chooseRecipes(IMAGES), checkRecipe);
  },
);

async function checkRecipe(recipe: Recipe): Promise<void> {
  using folder = new TempDirectory();
  const image = await makeMatrixImage(folder.path, recipe);
  await checkInfo(image);
  await checkMap(image);
  await checkCheck(image);
  const { path, sizeBytes, options, qemuOptions } = image;
  await checkExport({ folder, image: path, options: ["-t", "QCOW", ...options] }, {
    sizeBytes,
    map: () => qemuMap(image),
    compare: [...SECRET, "--image-opts", qemuOptions],
  });
}

async function checkCheck(image: MatrixImage): Promise<void> {
  const { filename, ...numbers } = JSON.parse(await asRoot().must("--check", "--json", image.path));
  assertEquals(filename, image.path);
  assertEquals(numbers, await qemuCheck(image));
}

/** Both say the same; what only one of them says is none of this. */
async function checkInfo(image: MatrixImage): Promise<void> {
  const ask = async (): Promise<readonly [unknown, unknown]> => {
    const theirs = await qemuInfo(image);
    const { "backing-image": _, ...ours } = JSON.parse(
      await asRoot().must("--info", "--json", image.path),
    );
    return [sorted(ours), sorted(theirs)];
  };
  await agreeing(ask, (ours, theirs) => assertEquals(ours, theirs));
}

/** Keys in the order of the alphabet. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1);
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

async function checkMap(image: MatrixImage): Promise<void> {
  const { path, sizeBytes } = image;
  await agreeing(async () => {
    const text = await asRoot().must("--map", "--json", path);
    const ours = normalised(JSON.parse(text), sizeBytes);
    return [ours, await qemuMap(image)] as const;
  }, (ours, theirs) => assertEquals(ours, theirs));
}
