// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { asRoot } from "../support/program.ts";
import { QemuNbd } from "../support/qemu_nbd.ts";
import { must, oracleTest, TempDirectory, testIfPossible } from "../support/tools.ts";

/** An image over an image over a plain file, with a snapshot; the path of the top one. */
async function makeChain(folder: TempDirectory): Promise<string> {
  const [base, middle, top] = ["base.raw", "middle.qcow2", "top.qcow2"].map((n) => folder.file(n));
  if (base === undefined || middle === undefined || top === undefined) throw new Error("no names");
  await must("qemu-img", "create", "-q", "-f", "raw", base, "1M");
  await must("qemu-io", "-f", "raw", "-c", "write -P 1 128k 64k", base);
  const create = ["create", "-q", "-f", "qcow2"];
  await must("qemu-img", ...create, "-b", "base.raw", "-F", "raw", middle, "2M");
  await must("qemu-img", ...create, "-b", "middle.qcow2", "-F", "qcow2", top);
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 2 1M 64k", "-c", "write -z 0 64k", top);
  await must("qemu-img", "snapshot", "-c", "before", top);
  return top;
}

oracleTest(
  "tslosetup --info tells of a chain what qemu-img tells",
  ["qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const top = await makeChain(folder);
    const told = JSON.parse(await asRoot().must("--info", "--json", top));
    const expected = JSON.parse(
      await must("qemu-img", "info", "--backing-chain", "--output=json", top),
    );
    let image = told;
    for (const one of expected) {
      const { "backing-image": below, ...fields } = image;
      assertEquals(fields, one);
      image = below;
    }
    assertEquals(image, undefined);
    const text = await asRoot().must("--info", top);
    assertEquals(text.split("\n\n").length, 3);
    assertStringIncludes(text, "file format: qcow2\n");
    assertStringIncludes(text, "before");
  },
);

oracleTest(
  "tslosetup --info says what it could not look into",
  ["qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const top = await makeChain(folder);
    Deno.removeSync(folder.file("base.raw"));
    const { code, stdout, stderr } = await asRoot().run("--info", "--json", top);
    assertEquals(code, 1);
    assertEquals(JSON.parse(stdout)["backing-image"].format, "qcow2");
    const missing = `${folder.file("base.raw")} (backing file of ${folder.file("middle.qcow2")})`;
    assertEquals(stderr, `tslosetup: ${missing}: No such file or directory\n`);
    const alone = await asRoot().run("--info", "--no-backing", top);
    assertEquals([alone.code, alone.stderr], [0, ""]);
  },
);

oracleTest(
  "tslosetup --info and --map leave alone what is being written",
  ["qemu-img", "qemu-io", "qemu-nbd"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.raw");
    await must("qemu-img", "create", "-q", "-f", "raw", image, "1M");
    await using server = await QemuNbd.start(folder, image);
    assert(server.pid > 0);
    for (const action of ["--info", "--map"]) {
      const { code, stdout, stderr } = await asRoot().run(action, image);
      assertEquals([code, stdout], [1, ""]);
      assertEquals(
        stderr,
        `tslosetup: ${image}: failed to read image: the image is being written by qemu-nbd ` +
          `(pid ${server.pid}); --force looks at it all the same\n`,
      );
      const forced = await asRoot().run(action, "--force", image);
      assertEquals([forced.code, forced.stderr], [0, ""]);
    }
  },
);

oracleTest("tslosetup --map prints what lies where", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const top = await makeChain(folder);
  const text = await asRoot().must("--map", top);
  const rows = text.trim().split("\n").map((line) => line.trim().split(/ +/));
  assertEquals(rows[0], ["START", "LENGTH", "DEPTH", "KIND", "OFFSET", "FILE"]);
  assertEquals(rows[1]?.slice(0, 4), ["0", "65536", "0", "zero"]);
  const [base] = rows.filter(([start]) => start === "131072");
  assertEquals(base, ["131072", "65536", "2", "data", "131072", folder.file("base.raw")]);
  const own = rows.filter(([start]) => start === `${1024 * 1024}`).map((row) => row.slice(1, 4));
  assertEquals(own, [["65536", "0", "data"]]);
  const empty = rows.filter(([start]) => start === `${1088 * 1024}`).map((row) => row[3]);
  assertEquals(empty, ["absent"]);
  const before = await asRoot().run("--map", "--json", "--snapshot", "nobody", top);
  assertEquals([before.code, before.stdout], [1, ""]);
  assertStringIncludes(before.stderr, "there is no snapshot 'nobody'");
});

oracleTest(
  "tslosetup --map tells zeros from what is nowhere",
  ["qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    for (const options of ["extended_l2=off", "extended_l2=on", "compat=0.10"]) {
      const image = folder.file("alone.qcow2");
      await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, "8M");
      const commands = [
        "write -P 1 1M 64k",
        "write -z 2M 1M",
        "write -P 2 4M 64k",
        "discard 4M 64k",
      ];
      await must(
        "qemu-io",
        "-f",
        "qcow2",
        ...commands.flatMap((command) => ["-c", command]),
        image,
      );
      assertEquals(
        runsOf(await asRoot().must("--map", "--json", image)),
        runsOf(await must("qemu-img", "map", "--output=json", image)),
      );
    }
  },
);

/** Without what versions of qemu before 8.2 do not tell. */
function runsOf(json: string): Record<string, unknown>[] {
  const runs: Record<string, unknown>[] = JSON.parse(json);
  return runs.map(({ compressed: _, ...run }) => run);
}

/** Of a disk that no number holds; qemu counts whole sectors. */
const HUGE = "9007199254741504";

oracleTest(
  "tslosetup --info describes disks that are too large to attach",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("huge");
    await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", path, HUGE);
    const program = asRoot();
    assertStringIncludes(await program.must("--info", "--json", path), `"virtual-size": ${HUGE},`);
    assertStringIncludes(await program.must("--info", path), `8 PiB (${HUGE} bytes)`);
    for (const words of [["--map"], ["-r", "--socket", folder.file("socket"), "-t", "QCOW"]]) {
      const { code, stdout, stderr } = await program.run(...words, path);
      assertEquals([code, stdout], [1, ""]);
      assertMatch(stderr, /^[^\n]*: QCOW images with a disk of 8 PiB or more are not supported\n$/);
    }
  },
);

/** Where file systems usually are in memory: they have files of any size. */
const MEMORY_FOLDERS = ["/dev/shm", "/run", "/tmp"];
const folderForHuge = MEMORY_FOLDERS.find(canHoldHugeFile);

function canHoldHugeFile(parent: string): boolean {
  try {
    using folder = new TempDirectory(parent);
    makeHugeFile(folder);
    return true;
  } catch {
    return false;
  }
}

/** A sparse file of {@link HUGE} bytes. */
function makeHugeFile(folder: TempDirectory): string {
  const path = folder.file("huge");
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, Number(HUGE));
  return path;
}

testIfPossible({
  name: "tslosetup --info describes plain files that are too large to attach",
  obstacle: folderForHuge === undefined ? "no file system for files of 8 PiB" : undefined,
  fn: async () => {
    using folder = new TempDirectory(folderForHuge);
    const path = makeHugeFile(folder);
    const program = asRoot();
    assertStringIncludes(await program.must("--info", "--json", path), `"virtual-size": ${HUGE},`);
    const { code, stderr } = await program.run("-r", "--socket", folder.file("socket"), path);
    assertEquals(code, 1);
    assertMatch(stderr, /^[^\n]*: RAW images with 8 PiB or more are not supported\n$/);
  },
});

Deno.test("tslosetup --info says what a RAW file begins like", async () => {
  using folder = new TempDirectory();
  const beginnings = {
    "compressed with bzip2": [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
    "encrypted volume \\(see -t LUKS\\)": [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe],
  };
  const path = folder.file("disk");
  for (const [what, bytes] of Object.entries(beginnings)) {
    const content = new Uint8Array(4096);
    content.set(bytes);
    Deno.writeFileSync(path, content);
    const { code, stdout, stderr } = await asRoot().run("--info", path);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "file format: raw\n");
    assertMatch(stderr, new RegExp(`^tslosetup: ${path}: .*${what}.*\n$`));
  }
  Deno.writeFileSync(path, new Uint8Array(4096));
  assertEquals((await asRoot().run("--info", path)).stderr, "");
});
