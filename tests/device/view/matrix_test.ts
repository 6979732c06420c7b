// @ts-types="../../support/std_assert.d.ts"
import { assertGreater, assertMatch } from "@std/assert";
import { checkAll } from "../../matrix/lanes.ts";
import { makeMatrixImage, type MatrixImage, rawCopy } from "../../matrix/make.ts";
import { chooseRecipes } from "../../matrix/recipe.ts";
import { asRoot } from "../../support/program.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { readAtRandom } from "./read_at_random.ts";
import { nothingBelow, VIEW, viewTest } from "./view.ts";

/** Of 208 that the matrix has: all of them are a campaign, which takes a while. */
const COUNT = Number(Deno.env.get("TSLOSETUP_VIEW_IMAGES") ?? 48);
/** Whether the refusal of a view is right: the image has nothing that the kernel could or may show alone. */
const IS_ALL_SERVED =
  /all of its clusters are compressed, encrypted or not aligned|it is encrypted, and nothing stored in it/;

viewTest("images of the matrix are qemu's, byte for byte", [...IMAGE_TOOLS, "cmp"], async () => {
  let views = 0;
  await checkAll(chooseRecipes(COUNT), async (recipe) => {
    using folder = new TempDirectory();
    const image = await makeMatrixImage(folder.path, recipe);
    const raw = await rawCopy(image);
    const { path, isView } = await attach(image);
    try {
      await must("cmp", path, raw);
      await readAtRandom(path, raw, recipe.seed);
    } finally {
      await asRoot().must("-d", path);
    }
    if (isView) views++;
  });
  assertGreater(views, COUNT / 4);
  await nothingBelow();
});

/** As a view, if it can be one; what cannot be gets a server without being asked for. */
async function attach(
  { path, options, recipe }: MatrixImage,
): Promise<{ readonly path: string; readonly isView: boolean }> {
  const words = [...options, "-r", "-t", "QCOW", "--find", "--show", path];
  const { code, stdout, stderr } = await asRoot().run(...VIEW, ...words);
  if (code === 0) return { path: stdout.trim(), isView: true };
  assertMatch(stderr, IS_ALL_SERVED, recipe.name);
  return { path: (await asRoot().must(...words)).trim(), isView: false };
}
