// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { checkAll } from "./lanes.ts";
import { makeMatrixImage, type MatrixImage, SECRET, twinOf } from "./make.ts";
import { chooseRecipes, type Recipe } from "./recipe.ts";
import { changeByQemu, changeByServer, changesOf } from "./twin_writes.ts";

/** Of 208 that the matrix has: all of them are a campaign, which takes a while. */
const COUNT = Number(Deno.env.get("TSLOSETUP_WRITTEN_IMAGES") ?? 24);
const CHANGES = 60;

oracleTest(
  "images of the matrix are written to as by qemu, which finds no fault in them",
  [...IMAGE_TOOLS, "cmp"],
  async () => {
    await checkAll(chooseRecipes(COUNT), checkTwins);
  },
);

async function checkTwins(recipe: Recipe): Promise<void> {
  using folder = new TempDirectory();
  const image = await makeMatrixImage(folder.path, recipe);
  const twin = await twinOf(image);
  const below = await filesBelow(image);
  const ops = changesOf(image, CHANGES);
  await changeByServer(folder, image, ops);
  await changeByQemu(twin, ops);
  const { code, stdout, stderr } = await qemuCheck(image);
  assertEquals([code, stderr], [0, ""], stdout);
  for (const snapshot of [undefined, ...snapshotsOf(recipe)]) {
    await must("cmp", await rawDisk(image, snapshot), await rawDisk(twin, snapshot));
  }
  assertEquals(await filesBelow(image), below, "what lies below has changed");
}

function qemuCheck({ qemuOptions }: MatrixImage): ReturnType<typeof run> {
  return run("qemu-img", "check", ...SECRET, "--image-opts", qemuOptions);
}

function snapshotsOf({ snapshots }: Recipe): string[] {
  return Array.from({ length: snapshots }, (_, index) => `s${index}`);
}

/** The disk, or what it was in a snapshot, by qemu. */
async function rawDisk({ path, qemuOptions }: MatrixImage, snapshot?: string): Promise<string> {
  const raw = `${path}.raw`;
  const which = snapshot === undefined ? [] : ["-l", `snapshot.name=${snapshot}`];
  await must(
    "qemu-img",
    "convert",
    ...SECRET,
    ...which,
    "--image-opts",
    "-O",
    "raw",
    qemuOptions,
    raw,
  );
  return raw;
}

/** What is in the files that a changed image leaves as they are. */
async function filesBelow({ path, recipe }: MatrixImage): Promise<string> {
  if (recipe.depth === 0) return "";
  const folder = path.slice(0, path.lastIndexOf("/"));
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => /^[1-9]\./.test(name));
  const sums = names.map(async (name) => {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${folder}/${name}`));
    return `${name} ${new Uint8Array(digest).join()}`;
  });
  return (await Promise.all(sums)).sort().join("\n");
}
