// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { asRoot, statesIn } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { devicesBelow, listed, nothingBelow, VIEW, View, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io"];
const MIB = 1024 * 1024;

/** An image with another one below it, of 8 MiB. */
async function makeChain(folder: TempDirectory, name = "disk"): Promise<string> {
  const [base, image] = [folder.file(`${name}.base`), folder.file(`${name}.qcow2`)];
  await must("qemu-img", "create", "-q", "-f", "qcow2", base, "8M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 2M", base);
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 8 2M 2M", image);
  return image;
}

function assertShows(path: string): void {
  const bytes = Deno.readFileSync(path);
  assertEquals([0, 1, 2, 3, 4].map((mib) => bytes[mib * MIB]), [0, 7, 8, 8, 0]);
}

for (const how of ["losetup -d", "tslosetup -d DEVICE", "tslosetup -d IMAGE"] as const) {
  viewTest(`${how} takes all of a view down`, TOOLS, async () => {
    using folder = new TempDirectory();
    const image = await makeChain(folder);
    await using view = await View.attach(image, "-t", "QCOW");
    assertShows(view.path);
    assertEquals(view.below.length, 3);
    assertEquals([view.program.processes(), statesIn(view.program.stateDirectory)], [[], []]);
    const words = {
      "losetup -d": [],
      "tslosetup -d DEVICE": [view.path],
      "tslosetup -d IMAGE": [image],
    };
    if (how === "losetup -d") await must("losetup", "-d", view.path);
    else await view.program.must("-d", ...words[how]);
    await eventually(() => view.backingFile === undefined, "the view to go");
    await nothingBelow();
  });
}

viewTest(
  "a view takes the device that is named, and no other of the small ones",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = await makeChain(folder);
    const free = (await must("losetup", "-f")).trim();
    const program = asRoot();
    await program.must(...VIEW, "-r", "-t", "QCOW", free, image);
    try {
      assertShows(free);
      const next = Number(/\d+$/.exec((await must("losetup", "-f")).trim())?.[0]);
      assert(next < 512, `${next}`);
      assert(devicesBelow().every((device) => Number(/\d+$/.exec(device)?.[0]) >= 512));
    } finally {
      await must("losetup", "-d", free);
    }
    await nothingBelow();
  },
);

viewTest("a view that is detached while it is mounted goes with the mount", [
  "mkfs.ext4",
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const [raw, image, mount] = [folder.file("raw"), folder.file("qcow"), folder.file("mnt")];
  Deno.writeFileSync(raw, new Uint8Array(8 * MIB));
  await must("mkfs.ext4", "-q", "-F", raw);
  await must("qemu-img", "convert", "-O", "qcow2", raw, image);
  await using view = await View.attach(image, "-t", "QCOW");
  await view.mount(mount);
  await view.detach();
  assertEquals([...Deno.readDirSync(mount)].map(({ name }) => name), ["lost+found"]);
  await must("umount", mount);
  await eventually(() => view.backingFile === undefined, "the view to go");
  await nothingBelow();
});

viewTest("a view is one line of a listing, which tells what it is", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW", "-o", "1M");
  const { path, program } = view;
  const row = await listed(program, path);
  assertEquals(
    [row?.["back-file"], row?.["file-format"], row?.["transport"], row?.["pid"], row?.["ro"]],
    [image, "QCOW", "view", null, true],
  );
  assertEquals([row?.["offset"], row?.["back-ino"]], [MIB, Deno.statSync(image).ino]);
  const below = devicesBelow();
  const names = (await program.must("-l", "-n", "-O", "NAME")).split("\n");
  assertEquals(below.filter((device) => names.includes(device)), []);
  const found = await program.must("-j", image, "-n", "-O", "NAME");
  assertEquals(found.trim(), path);
  assertMatch(await must("losetup", "-l", "-n", "-O", "NAME,BACK-FILE", path), /disk\.qcow2/);
});

viewTest("--nooverlap takes the view that is there", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  const find = (...words: string[]) =>
    view.program.run(...VIEW, "-L", "-r", "-t", "QCOW", ...words, "--find", "--show", image);
  assertEquals((await find()).stdout.trim(), view.path);
  const { code, stderr } = await find("--no-backing");
  assertEquals(code, 1);
  assertMatch(stderr, /overlapping loop device exists/);
});

viewTest("the images of a view are locked, without any process", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  const write = (path: string) => run("qemu-io", "-f", "qcow2", "-c", "write 0 512", path);
  {
    await using _view = await View.attach(image, "-t", "QCOW");
    for (const path of [image, folder.file("disk.base")]) {
      const { code, stderr } = await write(path);
      assertNotEquals(code, 0);
      assertMatch(stderr, /lock/);
    }
    const raw = await asRoot().run("--socket", folder.file("socket"), "-t", "RAW", image);
    assertEquals(raw.code, 1);
    assertMatch(raw.stderr, /in use/);
    await using _other = await View.attach(image, "-t", "QCOW");
  }
  await nothingBelow();
  assertEquals((await write(image)).code, 0);
});

viewTest("an image that is being written is refused", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  const server = new Deno.Command("qemu-io", {
    args: ["-f", "qcow2", image],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = server.stdin.getWriter();
  await input.write(new TextEncoder().encode("length\n"));
  // It has opened the image once it says anything.
  const output = server.stdout.getReader();
  assertEquals((await output.read()).done, false);
  const { code, stderr } = await asRoot().run(...VIEW, "-r", "-t", "QCOW", "-f", image);
  await input.close();
  await output.cancel();
  await server.status;
  assertEquals(code, 1);
  assertMatch(stderr, /is being written by qemu-io/);
  assertEquals(devicesBelow(), []);
});

viewTest("what is cut off an image, or renamed, costs at most what lay there", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  Deno.renameSync(image, folder.file("other name"));
  assertShows(view.path);
  assertEquals((await listed(view.program, view.path))?.["back-file"], image);
  assertEquals(
    (await view.program.must("-j", folder.file("other name"), "-n", "-O", "NAME")).trim(),
    view.path,
  );
  Deno.truncateSync(folder.file("other name"), 64 * 1024);
  await must("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches");
  const dd = await run("dd", `if=${view.path}`, "of=/dev/null", "bs=1M", "iflag=direct");
  assert(dd.code === 0 || dd.stderr.includes("Input/output error"), dd.stderr);
  const head = await run("dd", `if=${view.path}`, "bs=1M", "count=1", "of=/dev/null");
  assertEquals(head.code, 0, head.stderr);
});

const AT_ONCE = 20;

viewTest(`${AT_ONCE} at once get devices of their own, and leave nothing`, TOOLS, async () => {
  using folder = new TempDirectory();
  const names = Array.from({ length: AT_ONCE }, (_, index) => `disk${index}`);
  const images: string[] = [];
  for (const name of names) images.push(await makeChain(folder, name));
  const program = asRoot();
  const all = await Promise.all(
    images.map((image) => program.run(...VIEW, "-r", "-t", "QCOW", "--find", "--show", image)),
  );
  for (const { code, stderr } of all) assertEquals([code, stderr], [0, ""]);
  const devices = all.map(({ stdout }) => stdout.trim());
  assertEquals(new Set(devices).size, AT_ONCE);
  for (const device of devices) assertShows(device);
  await Promise.all(devices.map((device) => must("losetup", "-d", device)));
  await nothingBelow();
});
