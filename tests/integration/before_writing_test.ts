/**
 * Images that need something before they are written to, or may not be.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ImageBytes } from "../format/qcow/write/image_bytes.ts";
import {
  makeOriginal,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
  qemuIo,
} from "../format/qcow/write/originals.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const LAZY: OriginalRecipe = {
  name: "lazy refcounts",
  sizeBytes: 8 * 1024 * 1024,
  options: ["lazy_refcounts=on"],
  commands: ["write -q -P 1 0 1M"],
};
const DIRTY = 1n;
const INCOMPATIBLE_OFFSET = 72;

/** Has qemu be killed while it keeps no counts. */
async function makeUnclosed(path: string): Promise<void> {
  const commands = ["write -q -P 2 1M 2M", "flush", "sigraise 9"];
  const words = commands.flatMap((line) => ["-c", line]);
  await run("qemu-io", "-t", "writeback", "-f", "qcow2", ...words, path);
  assertEquals(new ImageBytes(path).view.getBigUint64(INCOMPATIBLE_OFFSET) & DIRTY, DIRTY);
}

oracleTest(
  "an image that was not closed in order is repaired before it is written to",
  [...ORIGINAL_TOOLS, "cmp"],
  async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, LAZY);
    await makeUnclosed(path);
    const [twin, raw, twinRaw] = ["twin", "raw", "twin.raw"].map((name) => folder.file(name));
    assert(twin !== undefined && raw !== undefined && twinRaw !== undefined);
    await Deno.copyFile(path, twin);
    {
      const options = ["-t", "QCOW"];
      await using exported = await ExportedImage.attach({ folder, image: path, options });
      assertMatch(
        exported.attached.stderr,
        /^tslosetup: [^\n]*: the image was not closed in order: 64 faults and 0 leaked clusters were repaired\n$/,
      );
      using client = await NbdClient.connect(exported.socket);
      await client.change({ kind: "write", offset: 4096, bytes: new Uint8Array(512).fill(3) });
      await exported.detach();
    }
    assertEquals((await asRoot().run("--check", path)).code, 0);
    await must("qemu-img", "check", "-q", path);
    assertEquals(new ImageBytes(path).view.getBigUint64(INCOMPATIBLE_OFFSET), 0n);
    await qemuIo(twin, "qcow2", ["write -q -P 3 4096 512"]);
    await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw);
    await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", twin, twinRaw);
    await must("cmp", raw, twinRaw);
  },
);

oracleTest(
  "an image that was not closed in order is left alone by who only reads it",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, LAZY);
    await makeUnclosed(path);
    const before = Deno.readFileSync(path);
    for (const options of [["-r"], ["--overlay"]]) {
      const attach = { folder, image: path, options: [...options, "-t", "QCOW"] };
      await using exported = await ExportedImage.attach(attach);
      assertEquals(exported.attached.stderr, "");
      await exported.detach();
    }
    assertEquals(Deno.readFileSync(path), before);
  },
);

oracleTest(
  "an image that was not closed in order is not written to with damage that stays",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, LAZY);
    await makeUnclosed(path);
    const image = new ImageBytes(path);
    image.setEntry(3, 1n << 50n);
    // Some of it could be repaired.
    image.setCount(image.target(image.entryAt(1)), 0);
    image.save();
    const before = Deno.readFileSync(path);
    const words = ["--socket", folder.file("socket"), "-t", "QCOW", path];
    const { code, stderr } = await asRoot().run(...words);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^[^\n]*not closed in order, and has damage that cannot be repaired \(--check/,
    );
    assertEquals(Deno.readFileSync(path), before);
  },
);

oracleTest("an image that was cut off is not written to", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory();
  const recipe = { ...LAZY, options: [], commands: ["write -q -P 1 0 8M"] };
  const { path } = await makeOriginal(folder.path, recipe);
  const sizeBytes = Deno.statSync(path).size;
  // What lacks is less than a cluster, all clusters but the first half, and nothing.
  const results: number[] = [];
  for (const size of [sizeBytes - 512, sizeBytes / 2, sizeBytes - 65536, sizeBytes]) {
    Deno.truncateSync(path, Math.floor(size / 512) * 512);
    const words = ["--socket", folder.file("socket"), "-t", "QCOW", path];
    const { code, stderr } = await asRoot().run(...words);
    results.push(code);
    if (code === 0) await asRoot().must("-d", folder.file("socket"));
    else assertMatch(stderr, /^[^\n]*: the file is cut off: [^\n]*\(--check tells [^\n]*\n$/);
    const reading = { folder, image: path, options: ["-r", "-t", "QCOW"] };
    await using exported = await ExportedImage.attach(reading);
    await exported.detach();
  }
  // Made as long as before, the file has zeros where the clusters were.
  assertEquals(results, [0, 1, 1, 0]);
});
