// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../support/images.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { checksums, makeSparse, stockColumns, writeFiles } from "../fuse/device.ts";
import { listed, missingFileSystem, VIEW, View, viewTest } from "./view.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** How each file system is made, of a size that it is content with. */
const MAKE = {
  ext4: { words: ["mkfs.ext4", "-q", "-F"], bytes: 32 * MIB },
  xfs: { words: ["mkfs.xfs", "-q", "-f"], bytes: 320 * MIB },
  btrfs: { words: ["mkfs.btrfs", "-q", "-f"], bytes: 128 * MIB },
} as const;

for (const type of ["ext4", "xfs", "btrfs"] as const) {
  const { words: [program, ...options], bytes } = MAKE[type];
  const tools = [program, "qemu-img", "mount", "unshare"] as const;
  viewTest(`a file system in a view is mounted: ${type}`, tools, async () => {
    using folder = new TempDirectory();
    const [tree, mnt] = [folder.file("tree"), folder.file("mnt")];
    const [raw, qcow] = [folder.file("raw"), folder.file("qcow")];
    Deno.mkdirSync(tree);
    Deno.mkdirSync(mnt);
    writeFiles(tree, 12 * MIB, 1);
    makeSparse(raw, bytes);
    await must(program, ...options, raw);
    // Where nobody else's mount namespace takes a copy of the mount along, which would keep it up.
    const fill = `mount -o loop ${raw} ${mnt} && cp -a ${tree}/. ${mnt}/ && umount ${mnt}`;
    await must("unshare", "--mount", "sh", "-c", fill);
    await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow);
    await using view = await View.attach(qcow, "-t", "QCOW");
    assert(!Deno.readTextFileSync("/proc/self/mountinfo").includes(" erofs "));
    assert(!(await must("df", "-a", "-T")).includes("erofs"));
    await view.mount(mnt);
    assertEquals(await checksums(mnt), await checksums(tree));
  }, missingFileSystem(type));
}

viewTest(
  "direct I/O it is where the kernel would mistake a file for another",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [base, image] = [folder.file("base"), folder.file("disk")];
    Deno.writeFileSync(base, new Uint8Array(64 * KIB).fill(7));
    const small = ["-o", "cluster_size=4k", "-b", base, "-F", "raw"];
    await must("qemu-img", "create", "-q", "-f", "qcow2", ...small, image);
    // Number 5 in the disk, and in the image file: the base's number 6 follows upon it.
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 8 20K 4K", image);
    for (const options of [[], ["--direct-io=off"]]) {
      await using view = await View.attach(image, "-t", "QCOW", ...options);
      assertEquals(await stockColumns(view.path, "DIO"), ["1"]);
      const bytes = Deno.readFileSync(view.path);
      const numbers = Array.from({ length: 16 }, (_, cluster) => bytes[cluster * 4 * KIB]);
      assertEquals(numbers, [7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
      const { code, stderr } = await view.program.run("--direct-io=off", view.path);
      assertEquals(code, 1);
      assertMatch(stderr, /^tslosetup: .*: set direct io failed: .*mix up.*\n$/);
    }
    const { stderr } = await asRoot().run(...VIEW, "-r", "-o", "100", "-t", "QCOW", "-f", image);
    assertMatch(stderr, /^tslosetup: .*direct I\/O.*\n$/);
  },
);

viewTest(
  "files of a view are not mistaken where they are read through the page cache",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [base, image] = [folder.file("base"), folder.file("disk")];
    Deno.writeFileSync(base, new Uint8Array(MIB).fill(7));
    await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image);
    // Number 5 in the disk, and in the image file: the base's number 6 follows upon it.
    await must("qemu-io", "-f", "qcow2", "-c", `write -P 8 ${5 * 64}K 64K`, image);
    await using view = await View.attach(image, "-t", "QCOW");
    assertEquals(await stockColumns(view.path, "DIO"), ["0"]);
    const bytes = Deno.readFileSync(view.path);
    const isRight = bytes.every((byte, at) => byte === (at >> 16 === 5 ? 8 : 7));
    assert(isRight);
  },
);

viewTest(
  "a view is read through the page cache, unless direct I/O is asked for",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, "1M");
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 8 0 1M", image);
    for (const [wanted, shown] of [["off", "0"], ["on", "1"]] as const) {
      await using view = await View.attach(image, "-t", "QCOW", `--direct-io=${wanted}`);
      assertEquals(await stockColumns(view.path, "DIO"), [shown]);
      assert(Deno.readFileSync(view.path).every((byte) => byte === 8));
    }
  },
);

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
    // What is no whole sector could not be read.
    { words: ["--sizelimit", "66048", "-b", "4096"], from: 0, to: 64 * KIB },
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
