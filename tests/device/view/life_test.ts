// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { asRoot, Nobody, statesIn } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { devicesBelow, listed, nothingBelow, VIEW, View, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io"] as const;
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

viewTest(
  "a view that spares a part of a sector has the size limit that was asked for",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow2");
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, String(4 * MIB + 512));
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", image);
    for (const limit of ["0", "1049088"]) {
      const words = ["-t", "QCOW", "-b", "4096", "--sizelimit", limit];
      await using view = await View.attach(image, ...words);
      assertEquals(view.sizeBytes % 4096, 0);
      assertEquals(String((await listed(view.program, view.path))?.sizelimit), limit);
      const again = ["-L", "-r", ...words, "--find", "--show", image];
      assertEquals((await view.program.must(...VIEW, ...again)).trim(), view.path);
    }
  },
);

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
    assertMatch(raw.stderr, /the image is in use by a view\n$/);
    await using _other = await View.attach(image, "-t", "QCOW");
  }
  await nothingBelow();
  assertEquals((await write(image)).code, 0);
});

viewTest("external data files and RAW files below a view are locked, too", TOOLS, async () => {
  using folder = new TempDirectory();
  const [raw, middle, top] = [folder.file("raw"), folder.file("middle"), folder.file("top")];
  const data = folder.file("data");
  await must("qemu-img", "create", "-q", "-f", "raw", raw, "8M");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", middle);
  const how = ["-o", `data_file=${data}`, "-b", middle, "-F", "qcow2"];
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...how, top);
  await must("qemu-io", "-f", "qcow2", "-c", "write 0 1M", top);
  const mayBeWritten = async (): Promise<boolean[]> => {
    const codes = [];
    for (const path of [raw, middle, top, data]) {
      codes.push((await run("qemu-io", "-f", "raw", "-c", "length", path)).code);
    }
    return codes.map((code) => code === 0);
  };
  {
    await using _view = await View.attach(top, "-t", "QCOW");
    assertEquals(await mayBeWritten(), [false, false, false, false]);
  }
  assertEquals(await mayBeWritten(), [true, true, true, true]);
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

/** What a listing calls the image of a view. */
async function listedName({ program, path }: View): Promise<unknown> {
  return (await listed(program, path))?.["back-file"];
}

viewTest("an image that is renamed or deleted is listed as such, and shown on", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  const other = folder.file("other name");
  Deno.renameSync(image, other);
  assertEquals(await listedName(view), other);
  assertEquals((await view.program.must("-j", other, "-n", "-O", "NAME")).trim(), view.path);
  assertEquals(view.backingFile, image);
  // Another file takes its name.
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "16M");
  assertEquals(await listedName(view), other);
  assertEquals(await view.program.must("-j", image, "-n", "-O", "NAME"), "");
  await view.program.must("-c", view.path);
  Deno.removeSync(other);
  assertEquals(await listedName(view), `${image} (deleted)`);
  assertShows(view.path);
  Deno.removeSync(image);
  await view.detach();
  await nothingBelow();
});

viewTest("what is cut off an image costs at most what lay there", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  Deno.truncateSync(image, 64 * 1024);
  await must("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches");
  const dd = await run("dd", `if=${view.path}`, "of=/dev/null", "bs=1M", "iflag=direct");
  assert(dd.code === 0 || dd.stderr.includes("Input/output error"), dd.stderr);
  const head = await run("dd", `if=${view.path}`, "bs=1M", "count=1", "of=/dev/null");
  assertEquals(head.code, 0, head.stderr);
  assertEquals(await listedName(view), image);
});

viewTest("-c says that a view has the size it was made with", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  await using view = await View.attach(image, "-t", "QCOW", "-o", "1M");
  assertEquals(await view.program.must("-c", view.path), "");
  // qemu-img would respect the lock: the size is at offset 24 of the header.
  await must(
    "sh",
    "-c",
    `printf "\\001\\000\\000\\000" | dd of=${image} bs=1 seek=28 conv=notrunc`,
  );
  const { code, stderr } = await view.program.run("-c", view.path);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `tslosetup: ${view.path}: set capacity failed: its image has another size by now ` +
      `(${15 * MIB} bytes); a view shows what there was when it was made: detach it, and attach ` +
      "the image anew\n",
  );
  assertEquals(view.sizeBytes, 7 * MIB);
});

viewTest(
  "-l of other users leaves out what is below a view, too",
  [...TOOLS, "setpriv"],
  async () => {
    using folder = new TempDirectory();
    const image = await makeChain(folder);
    await using view = await View.attach(image, "-t", "QCOW");
    using nobody = new Nobody();
    const names = (await nobody.program.must("-l", "--raw", "-n", "-O", "NAME")).split("\n");
    assert(names.includes(view.path), names.join(" "));
    assertEquals(names.filter((name) => view.below.includes(name)), []);
  },
);
