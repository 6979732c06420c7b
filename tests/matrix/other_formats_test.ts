// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { DRIVERS } from "../../src/disk/registry.ts";
import { formatNamed } from "../../src/image/formats.ts";
import { Device, deviceTest } from "../device/fuse/device.ts";
import { stampedBytes } from "../format/qcow/write/random_ops.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { checkExport } from "./exported.ts";
import { checkAll } from "./lanes.ts";
import { agreeing, normalised, type Stretch } from "./oracle.ts";
import {
  makeOtherImage,
  OTHER_RECIPES,
  type OtherImage,
  type OtherRecipe,
} from "./other_formats.ts";

const FORMATS = [...new Set(OTHER_RECIPES.map(({ format }) => format))];

for (const wanted of FORMATS) {
  oracleTest(
    `tslosetup reads, lists and describes every ${wanted} image of the matrix as qemu does`,
    [...IMAGE_TOOLS, "nbdinfo"],
    async () => {
      await checkAll(OTHER_RECIPES.filter(({ format }) => format === wanted), checkRecipe);
    },
  );
}

deviceTest(
  "images of other formats are the same on real devices",
  [...IMAGE_TOOLS, "cmp"],
  async () => {
    const some = OTHER_RECIPES.filter(({ filling, sizeBytes }) =>
      filling === "some" && sizeBytes > 1024 * 1024
    );
    for (const recipe of some) {
      using folder = new TempDirectory();
      const { path, rawPath, sizeBytes } = await makeOtherImage(folder.path, recipe);
      await using device = await Device.attach(path, "-r", "-t", recipe.format);
      assertEquals(device.sizeBytes, sizeBytes, recipe.name);
      // Some disks are longer than what they were made from.
      await must("cmp", "-n", `${recipe.sizeBytes}`, device.path, rawPath);
      await device.detach();
    }
  },
);

const WRITABLE = FORMATS.filter((name) => formatNamed(DRIVERS, name)?.writable);

for (const format of WRITABLE) {
  deviceTest(
    `a file system on a ${format} image is whole, and qemu reads it`,
    [...IMAGE_TOOLS, "mkfs.ext4", "e2fsck", "debugfs", "cmp", "fstrim"],
    async () => {
      const recipe = OTHER_RECIPES.find((other) =>
        other.format === format && other.filling === "empty" && other.sizeBytes > 16 * 1024 * 1024
      );
      if (recipe === undefined) throw new Error(`no recipe of ${format}`);
      using folder = new TempDirectory();
      const { path } = await makeOtherImage(folder.path, recipe);
      const file = folder.file("file");
      Deno.writeFileSync(file, stampedBytes(0, 3_000_001, 1));
      await using device = await Device.attach(path, "-t", format);
      await must("mkfs.ext4", "-q", device.path);
      await device.mount(folder.file("mounted"));
      await must("cp", file, folder.file("mounted/copy"));
      await must("fstrim", folder.file("mounted"));
      await device.unmount(folder.file("mounted"));
      await device.detach();
      await device.gone();
      const raw = folder.file("after.raw");
      await must("qemu-img", "convert", "-f", recipe.driver, "-O", "raw", path, raw);
      await must("e2fsck", "-fn", raw);
      await must("debugfs", "-R", `dump /copy ${folder.file("dumped")}`, raw);
      await must("cmp", file, folder.file("dumped"));
    },
  );
}

async function checkRecipe(recipe: OtherRecipe): Promise<void> {
  using folder = new TempDirectory();
  const image = await makeOtherImage(folder.path, recipe);
  await checkInfo(image);
  await checkMap(image);
  const { path, rawPath, sizeBytes } = image;
  await checkExport({ folder, image: path, options: ["-t", recipe.format] }, {
    sizeBytes,
    map: () => recipe.hasNoMap ? ownMap(image) : qemuMap(image),
    compare: ["--image-opts", `driver=raw,file.filename=${rawPath}`],
  });
}

/** What both say is the same; of what only this format has, qemu tells nothing. */
async function checkInfo({ path, recipe: { driver } }: OtherImage): Promise<void> {
  const ask = async (): Promise<readonly [unknown, unknown]> => {
    const theirs = JSON.parse(await must("qemu-img", "info", "-f", driver, "--output=json", path));
    const ours = JSON.parse(await asRoot().must("--info", "--json", path));
    const same = Object.fromEntries(Object.keys(theirs).map((key) => [key, ours[key]]));
    return driver === "vmdk" ? [withoutPieces(same), withoutPieces(theirs)] : [same, theirs];
  };
  await agreeing(ask, (ours, theirs) => assertEquals(ours, theirs));
}

/** What is said of an image by its descriptor, and what all files take; not what others say of themselves. */
function withoutPieces(info: Record<string, unknown>): unknown {
  const { "cluster-size": _cluster, "format-specific": more, ...rest } = info;
  const { data } = more as { data: { extents: { filename: string }[] } };
  const extents = data.extents.map((extent) => ({
    ...extent,
    "cluster-size": undefined,
    filename: extent.filename.split("/").at(-1),
  }));
  return { ...rest, data: { ...data, extents } };
}

async function checkMap(image: OtherImage): Promise<void> {
  if (image.recipe.hasNoMap) return;
  await agreeing(
    async () => [await ownMap(image), await qemuMap(image)] as const,
    (ours, theirs) => assertEquals(ours, theirs),
  );
}

async function ownMap({ path, sizeBytes }: OtherImage): Promise<Stretch[]> {
  return normalised(JSON.parse(await asRoot().must("--map", "--json", path)), sizeBytes);
}

async function qemuMap({ path, sizeBytes, recipe }: OtherImage): Promise<Stretch[]> {
  const text = await must("qemu-img", "map", "-f", recipe.driver, "--output=json", path);
  return normalised(JSON.parse(text), sizeBytes);
}
