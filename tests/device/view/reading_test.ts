// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { makeMatrixImage, rawCopy } from "../../matrix/make.ts";
import { chooseRecipes } from "../../matrix/recipe.ts";
import { asRoot, statesIn } from "../../support/program.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../support/images.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { checksums, makeFileSystem, stockColumns } from "../fuse/device.ts";
import { readAtRandom } from "./read_at_random.ts";
import { listed, nothingBelow, VIEW, View, viewTest } from "./view.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const RECIPES = chooseRecipes(120, 5);

/** Whether the refusal of an image is right: it has nothing that the kernel could read. */
const IS_ALL_SERVED = /all of its clusters are compressed, encrypted or not aligned/;

viewTest("images of the matrix are qemu's, byte for byte", [...IMAGE_TOOLS, "cmp"], async () => {
  let shown = 0;
  let served = 0;
  for (const recipe of RECIPES) {
    using folder = new TempDirectory();
    const image = await makeMatrixImage(folder.path, recipe);
    const raw = await rawCopy(image);
    const words = [...VIEW, "-r", "-t", "QCOW", ...image.options, "--find", "--show", image.path];
    const { code, stdout, stderr } = await asRoot().run(...words);
    if (code !== 0) {
      assertMatch(stderr, IS_ALL_SERVED, recipe.name);
      continue;
    }
    const path = stdout.trim();
    served += statesIn(asRoot().stateDirectory).length;
    try {
      await must("cmp", path, raw);
      await readAtRandom(path, raw, recipe.seed);
    } finally {
      await must("losetup", "-d", path);
    }
    shown++;
  }
  assertGreater(shown - served, 20);
  assertGreater(served, 20);
  await nothingBelow();
});

viewTest("a file system in a view is mounted", ["mkfs.ext4", "qemu-img", "mount"], async () => {
  using folder = new TempDirectory();
  const { tree, qcow } = await makeFileSystem(folder);
  await using view = await View.attach(qcow, "-t", "QCOW");
  assert(!Deno.readTextFileSync("/proc/self/mountinfo").includes(" erofs "));
  await view.mount(folder.file("mnt"));
  assertEquals(await checksums(folder.file("mnt")), await checksums(tree));
});

viewTest("a snapshot is shown, and not what came after it", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "4M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 1M", image);
  await must("qemu-img", "snapshot", "-c", "before", image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 2M", image);
  for (const [options, first, second] of [[[], 2, 2], [["--snapshot", "before"], 1, 0]] as const) {
    await using view = await View.attach(image, "-t", "QCOW", ...options);
    const bytes = Deno.readFileSync(view.path);
    assertEquals([bytes[0], bytes[2 * MIB - 1], bytes.length], [first, second, 4 * MIB]);
  }
});

viewTest("-o, --sizelimit and -b choose a part and its sectors", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const { raw, qcow } = await makeFileSystemLike(folder);
  const expected = Deno.readFileSync(raw);
  const parts = [
    { words: ["-o", "4096"], from: 4096, to: expected.length },
    { words: ["-o", "512", "--sizelimit", "1M"], from: 512, to: 512 + MIB },
    { words: ["--sizelimit", "64K", "-b", "4096"], from: 0, to: 64 * KIB },
  ];
  for (const { words, from, to } of parts) {
    await using view = await View.attach(qcow, "-t", "QCOW", ...words);
    const bytes = Deno.readFileSync(view.path);
    assertEquals(bytes.length, to - from);
    assert(bytes.every((byte, at) => byte === expected[from + at]), words.join(" "));
    const sectors = words.includes("-b") ? "4096" : "512";
    assertEquals((await must("blockdev", "--getss", view.path)).trim(), sectors);
  }
  const { code, stderr } = await asRoot().run(...VIEW, "-r", "-t", "QCOW", "-o", "1G", "-f", qcow);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: failed to set up loop device: .*\n$/);
});

async function makeFileSystemLike(folder: TempDirectory): Promise<{ raw: string; qcow: string }> {
  const [raw, qcow] = [folder.file("raw"), folder.file("qcow")];
  const random = randomNumbers(9);
  Deno.writeFileSync(raw, Uint8Array.from({ length: 3 * MIB }, () => random() * 256));
  await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow);
  return { raw, qcow };
}

/** Numbers of the partitions of a device. */
function partitionsOf(path: string): string[] {
  const prefix = `${path.slice("/dev/".length)}p`;
  return [...Deno.readDirSync("/dev")].filter(({ name }) => name.startsWith(prefix))
    .map(({ name }) => name.slice(prefix.length)).sort();
}

viewTest("-P shows the partitions that this kernel finds", ["sfdisk", "qemu-img"], async () => {
  using folder = new TempDirectory();
  const [raw, qcow] = [folder.file("raw"), folder.file("qcow")];
  Deno.writeFileSync(raw, new Uint8Array(8 * MIB));
  await must("sh", "-c", `printf '2048,2048\\n4096,4096\\n' | sfdisk -q ${raw}`);
  await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow);
  const stock = (await must("losetup", "-r", "-P", "--find", "--show", raw)).trim();
  const expected = partitionsOf(stock);
  await must("losetup", "-d", stock);
  await using view = await View.attach(qcow, "-P", "-t", "QCOW");
  assertEquals(partitionsOf(view.path), expected);
  assertEquals(await stockColumns(view.path, "PARTSCAN"), ["1"]);
  await view.detach();
  assertEquals(partitionsOf(view.path), []);
});

viewTest("an image on a block device is shown without a device below", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const { raw, qcow } = await makeFileSystemLike(folder);
  const disk = (await must("losetup", "-r", "--find", "--show", qcow)).trim();
  try {
    await using view = await View.attach(disk, "-t", "QCOW");
    await must("cmp", view.path, raw);
    const row = await listed(view.program, view.path);
    assertEquals([row?.["back-file"], row?.["file-format"]], [disk, "QCOW"]);
  } finally {
    await run("losetup", "-d", disk);
  }
});
