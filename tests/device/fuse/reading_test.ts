// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { IMAGE_TOOLS, imageRecipes, makeImage } from "../../support/images.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import {
  checksums,
  Device,
  deviceTest,
  KIB,
  makeFileSystem,
  makeSparse,
  MIB,
  stockColumns,
} from "./device.ts";

const FILE_SYSTEM_TOOLS = ["mkfs.ext4", "qemu-img", "mount"] as const;

/** FUSE mounts of ours that a process sees. */
function fuseMounts(process: number | "self"): string[] {
  return Deno.readTextFileSync(`/proc/${process}/mountinfo`).split("\n")
    .filter((line) => line.includes(" fuse.tslosetup "));
}

for (const how of ["named", "found"] as const) {
  deviceTest(
    `a file system in a QCOW image is mounted from a ${how} device; stock losetup -d leaves nothing`,
    FILE_SYSTEM_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const { tree, qcow } = await makeFileSystem(folder, ...how === "found" ? ["-c"] : []);
      const attach = how === "named" ? Device.attachNamed : Device.attach;
      await using device = await attach(qcow, "-r", "-t", "QCOW");
      assertEquals([...fuseMounts("self"), ...fuseMounts(device.pid)], []);
      await device.mount(folder.file("mnt"), "-o", "ro");
      assertEquals(await checksums(folder.file("mnt")), await checksums(tree));
      await device.unmount(folder.file("mnt"));
      await must("losetup", "-d", device.path);
      await device.gone();
    },
  );
}

deviceTest(
  "-f QCOW DEVICE FILE attaches to the device, and -d detaches it",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow2");
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, "3M");
    await using device = await Device.attachNamed(image, "-r", "-f", "QCOW");
    assertEquals(device.sizeBytes, 3 * MIB);
    await device.detach();
    await device.gone();
  },
);

deviceTest(
  "stock losetup shows the image's path, read-only, direct I/O and sectors",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk image, ünïcode.raw"), 1 * MIB);
    await using device = await Device.attach(image, "-r", "-b", "4096");
    assertEquals(await stockColumns(device.path, "RO", "DIO", "LOG-SEC"), ["1", "1", "4096"]);
    assertEquals(device.attribute("loop/backing_file"), device.image);
    const json = JSON.parse(await must("losetup", "--json", "--list", device.path));
    assertEquals(json.loopdevices[0]["back-file"], device.image);
  },
);

deviceTest("the queue is set up for a device that is memory and system calls", [], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), 1 * MIB));
  assertStringIncludes(device.attribute("queue/scheduler"), "[none]");
  assertGreater(Number(device.attribute("queue/max_sectors_kb")), 511);
  assertEquals(device.attribute("queue/read_ahead_kb"), "1024");
  assertEquals(device.attribute("queue/write_cache"), "write back");
});

deviceTest("-o and --sizelimit choose a part of the virtual disk", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const recipe = imageRecipes().find(({ name }) => name.includes("65536-mixed"));
  assert(recipe !== undefined);
  const { path, rawPath } = await makeImage(folder.path, recipe);
  const limits = ["-o", "1MiB", "--sizelimit", "3MiB"];
  await using device = await Device.attach(path, "-r", "-t", "QCOW", ...limits);
  assertEquals(device.sizeBytes, 3 * MIB);
  await must("cmp", `--ignore-initial=${MIB}:0`, `--bytes=${3 * MIB}`, rawPath, device.path);
});

deviceTest(
  "a disk that does not end with a whole sector loses its rest, with a warning",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("odd");
    Deno.writeFileSync(image, crypto.getRandomValues(new Uint8Array(60_001)));
    await using device = await Device.attach(image, "-r");
    assertEquals(device.sizeBytes, 59_904);
    assertStringIncludes(device.warnings, "last 97 bytes are ignored");
    await must("cmp", "--bytes=59904", image, device.path);
  },
);

deviceTest("direct reads of any size and place return what buffered reads do", ["dd"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  const content = new Uint8Array(4 * MIB);
  for (let at = 0; at < content.length; at += 64 * KIB) {
    crypto.getRandomValues(content.subarray(at, at + 64 * KIB));
  }
  Deno.writeFileSync(image, content);
  await using device = await Device.attach(image, "-r");
  for (const bytes of [512, 4 * KIB, 68 * KIB, 1 * MIB, 4 * MIB]) {
    const copy = folder.file("copy");
    const args = [`if=${device.path}`, `of=${copy}`, "iflag=direct", "skip=1", `bs=${bytes}`];
    await must("dd", ...args, "count=3", "status=none");
    await must(
      "cmp",
      `--ignore-initial=${bytes}:0`,
      `--bytes=${Deno.statSync(copy).size}`,
      image,
      copy,
    );
  }
});

deviceTest("images of all kinds read as qemu reads them", [...IMAGE_TOOLS, "cmp"], async (t) => {
  using folder = new TempDirectory();
  const recipes = imageRecipes().filter((_, index) => index % 3 !== 1 || index > 30);
  assertGreater(recipes.length, 18);
  for (const recipe of recipes) {
    await t.step(recipe.name, async () => {
      const { path, rawPath } = await makeImage(folder.path, recipe);
      await using device = await Device.attach(path, "-r", "-t", "QCOW");
      assertEquals(device.sizeBytes, recipe.sizeBytes);
      await must("cmp", rawPath, device.path);
      await device.detach();
      await device.gone();
    });
  }
});

/** Whether this kernel reads GPT at all: some are built without. */
async function readsPartitions(image: string): Promise<boolean> {
  const path = (await must("losetup", "-r", "-P", "-f", "--show", image)).trim();
  try {
    return [...Deno.readDirSync(`/sys/block/${path.slice(5)}`)]
      .some(({ name }) => name.startsWith(`${path.slice(5)}p`));
  } finally {
    await run("losetup", "-d", path);
  }
}

deviceTest("-P makes the partitions' nodes; without -P there are none", ["sfdisk"], async (t) => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 8 * MIB);
  Deno.writeTextFileSync(folder.file("table"), "label: gpt\n,2M\n,1M\n");
  await must("sh", "-c", `sfdisk -q ${image} < ${folder.file("table")}`);
  const partitions = (device: Device): string[] =>
    [...Deno.readDirSync("/dev")].map(({ name }) => name)
      .filter((name) => name.startsWith(`${device.name}p`)).sort();
  await t.step("without -P", async () => {
    await using device = await Device.attach(image, "-r");
    assertEquals(partitions(device), []);
    assertEquals(await stockColumns(device.path, "PARTSCAN"), ["0"]);
  });
  // A kernel without partition parsers is right to find none; one that has them is booted by the
  // tests in user-mode Linux.
  const found = await readsPartitions(image);
  await t.step("with -P", async () => {
    await using device = await Device.attach(image, "-r", "-P");
    const expected = found ? [`${device.name}p1`, `${device.name}p2`] : [];
    assertEquals(partitions(device), expected);
    assertEquals(await stockColumns(device.path, "PARTSCAN"), ["1"]);
    await device.detach();
    assertEquals(partitions(device), []);
  });
});
