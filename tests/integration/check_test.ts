/**
 * `tslosetup --check`, beside `qemu-img check`.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ImageBytes } from "../format/qcow/write/image_bytes.ts";
import {
  makeOriginal,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { asRoot, ExportedImage, type Finished } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const HALF: OriginalRecipe = {
  name: "half full",
  sizeBytes: 512 * 1024,
  options: ["cluster_size=4096"],
  commands: ["write -q -P 1 0 200k"],
};

const DAMAGE: Readonly<Record<string, (image: ImageBytes) => void>> = {
  nothing: () => {},
  "a leak": (image) => image.setEntry(0, 0n),
  "a shared cluster": (image) => image.setEntry(0, image.view.getBigUint64(image.entryAt(1))),
  "an entry that leads out of the file": (image) => image.setEntry(0, 1n << 40n),
};

/** The text of qemu, whose standard error has words of its own. */
async function qemuCheck(...words: string[]): Promise<[number, string]> {
  const { code, stdout } = await run("qemu-img", "check", ...words);
  return [code, stdout];
}

for (const [what, damage] of Object.entries(DAMAGE)) {
  oracleTest(`tslosetup --check says what qemu-img says: ${what}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, HALF);
    const image = new ImageBytes(path);
    damage(image);
    image.save();
    const { code, stdout, stderr } = await asRoot().run("--check", path);
    assertEquals([code, stdout], await qemuCheck(path));
    assertEquals(stderr === "", code === 0, stderr);
    const json = await asRoot().run("--check", "--json", path);
    const [qemuCode, qemuJson] = await qemuCheck("--output=json", path);
    assertEquals([json.code, JSON.parse(json.stdout)], [qemuCode, JSON.parse(qemuJson)]);
  });
}

function assertOneLine({ code, stdout, stderr }: Finished, expected: number, says: string): void {
  assertEquals([code, stdout], [expected, ""]);
  assertMatch(stderr, /^tslosetup: [^\n]*\n$/);
  assertStringIncludes(stderr, says);
}

Deno.test("tslosetup --check knows what it cannot check", async () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  Deno.writeFileSync(path, new Uint8Array(4096));
  const program = asRoot();
  assertOneLine(await program.run("--check", path), 63, "cannot be checked");
  assertOneLine(await program.run("--check", "-t", "QCOW", path), 1, "this is no QCOW image");
  assertOneLine(await program.run("--check", folder.file("none")), 1, "No such file");
});

oracleTest(
  "tslosetup --check refuses an image that is attached for writing",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, HALF);
    const options = ["-t", "QCOW"];
    await using exported = await ExportedImage.attach({ folder, image: path, options });
    const busy = await asRoot().run("--check", path);
    assertOneLine(busy, 1, `is being written by tslosetup (pid ${exported.pid})`);
    assertStringIncludes(busy.stderr, "--force");
    assertEquals((await asRoot().run("--check", "--force", path)).code, 0);
    await exported.detach();
    assertEquals((await asRoot().run("--check", path)).code, 0);
  },
);

oracleTest("tslosetup --check looks at an image that is read", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory();
  const { path } = await makeOriginal(folder.path, HALF);
  const options = ["-r", "-t", "QCOW"];
  await using exported = await ExportedImage.attach({ folder, image: path, options });
  assert(exported.isRunning);
  assertEquals((await asRoot().run("--check", path)).code, 0);
});

for (const wanted of ["leaks", "all"]) {
  oracleTest(
    `tslosetup --check --repair ${wanted} says what qemu-img says`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const { path } = await makeOriginal(folder.path, HALF);
      const image = new ImageBytes(path);
      image.setEntry(0, 0n);
      image.save();
      const own = await asRoot().run("--check", "--repair", wanted, path);
      image.save();
      assertEquals([own.code, own.stdout], await qemuCheck("-r", wanted, path));
      image.save();
      const json = await asRoot().run("--check", "--json", "--repair", wanted, path);
      image.save();
      const [code, qemuJson] = await qemuCheck("--output=json", "-r", wanted, path);
      assertEquals([json.code, JSON.parse(json.stdout)], [code, JSON.parse(qemuJson)]);
    },
  );
}

oracleTest("tslosetup --repair is only for images that nobody uses", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory();
  const { path } = await makeOriginal(folder.path, HALF);
  const repair = ["--check", "--repair", "all", path];
  const options = ["-r", "-t", "QCOW"];
  await using exported = await ExportedImage.attach({ folder, image: path, options });
  const busy = await asRoot().run(...repair);
  assertOneLine(busy, 1, `is in use by tslosetup (pid ${exported.pid})`);
  await exported.detach();
  assertEquals((await asRoot().run(...repair)).code, 0);
  assertOneLine(await asRoot().run("--repair", "all", path), 1, "--repair goes with --check");
  assertOneLine(await asRoot().run("--force", ...repair), 1, "mutually exclusive");
});

oracleTest(
  "tslosetup --repair all clears the marks of an image that is right",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, HALF);
    const image = new ImageBytes(path);
    image.view.setBigUint64(72, 3n);
    image.save();
    assertEquals((await asRoot().run("--check", path)).code, 0);
    assert(new ImageBytes(path).isMarkedCorrupt);
    assertEquals((await asRoot().run("--check", "--repair", "all", path)).code, 0);
    assertEquals(new ImageBytes(path).u64(72), 0);
  },
);

oracleTest(
  "tslosetup --check compares an EWF image with its digests, as ewfverify does",
  ["ewfacquirestream", "ewfverify"],
  async () => {
    using folder = new TempDirectory();
    const disk = folder.file("disk");
    Deno.writeFileSync(disk, seededBytes(6000 * 512, 16));
    // A stream cannot be had from Deno.Command without writing to it piece by piece.
    const acquire = `ewfacquirestream -q -d sha1 -S 1.4MiB -t ${folder.file("e")} < ${disk}`;
    await must("sh", "-c", acquire);
    const image = folder.file("e.E01");
    const both = async (): Promise<[ours: number, theirs: boolean]> => {
      const { code } = await asRoot().run("--check", image);
      return [code, (await run("ewfverify", "-q", "-d", "sha1", image)).code === 0];
    };
    assertEquals(await both(), [0, true]);
    const second = Deno.readFileSync(folder.file("e.E02"));
    second[second.length >> 1] = (second[second.length >> 1] ?? 0) ^ 1;
    Deno.writeFileSync(folder.file("e.E02"), second);
    assertEquals(await both(), [2, false]);
  },
);
