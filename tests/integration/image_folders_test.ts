/**
 * Folders that are images.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildDescriptor, DESCRIPTOR } from "../format/parallels/bundle/bundle_builder.ts";
import { buildBundle } from "../format/sparsebundle/bundle_builder.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;

/** A disk in a folder, with one snapshot; answers where. */
async function makeDisk(folder: TempDirectory): Promise<string> {
  const path = folder.file("disk.hdd");
  Deno.mkdirSync(path);
  for (const name of ["base.hds", "top.hds"]) {
    await must("qemu-img", "create", "-q", "-f", "parallels", `${path}/${name}`, `${SIZE}`);
  }
  await must("qemu-io", "-f", "parallels", "-c", "write -P 1 0 4M", `${path}/base.hds`);
  await must("qemu-io", "-f", "parallels", "-c", "write -P 2 1M 1M", `${path}/top.hds`);
  const images = [[1, "Compressed", "top.hds"], [2, "Compressed", "base.hds"]] as const;
  const storages = [{ sectors: SIZE / 512, images }];
  Deno.writeTextFileSync(`${path}/${DESCRIPTOR}`, buildDescriptor({ storages, chain: [1, 2] }));
  return path;
}

async function check(uri: string, ...words: string[]): Promise<void> {
  const access = words.every((word) => word.startsWith("read")) ? ["-r"] : [];
  const out = await must(
    "qemu-io",
    ...access,
    "-f",
    "raw",
    ...words.flatMap((word) => ["-c", word]),
    uri,
  );
  assertEquals(out.includes("failed"), false, out);
}

oracleTest(
  "a folder that is an image is attached, listed and detached by its name",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = await makeDisk(folder);
    const program = asRoot();
    for (const [n, words] of [["-r", "-t", "auto"], ["-t", "PARALLELS"]].entries()) {
      const attach = { folder, image, options: words, name: `socket${n}` };
      await using exported = await ExportedImage.attach(attach);
      assertEquals(exported.attached.stderr, "");
      await check(
        exported.uri,
        "read -P 1 0 1M",
        "read -P 2 1M 1M",
        "read -P 1 2M 2M",
        "read -P 0 4M 4M",
      );
      if (n > 0) await check(exported.uri, "write -P 3 3M 2k", "write -z 0 512k");
      const listed = await program.must("-n", "-O", "NAME,BACK-FILE", "-j", image);
      assertEquals(listed.trim().split(/\s+/), [exported.socket, `${image}/${DESCRIPTOR}`]);
      await program.must("-d", image);
      await exported.ended();
    }
    for (const name of ["base.hds", "top.hds"]) {
      await must("qemu-img", "check", "-q", "-f", "parallels", `${image}/${name}`);
    }
    const runs: { start: number; depth: number }[] = JSON.parse(
      await program.must("--map", "--json", image),
    );
    assertEquals(runs.find(({ start }) => start === 3 * MIB)?.depth, 0);
    const info = JSON.parse(await program.must("--info", "--json", `${image}/`));
    assertEquals([info.format, info["virtual-size"]], ["parallels", SIZE]);
  },
);

oracleTest("a sparse bundle is one, too; other bundles are not", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const program = asRoot();
  const image = folder.file("disk.sparsebundle");
  const list = buildBundle(image, { bands: { "0": { fill: 1 }, "1f": { fill: 2 } } });
  const attach = { folder, image, options: ["-r", "-t", "auto"] };
  await using exported = await ExportedImage.attach(attach);
  assertEquals(exported.attached.stderr, "");
  await check(
    exported.uri,
    "read -P 1 0 4k",
    "read -P 0 4k 120k",
    "read -P 2 124k 4k",
  );
  const listed = await program.must("-n", "-O", "NAME,FILE-FORMAT,BACK-FILE", "-j", image);
  assertEquals(listed.trim().split(/\s+/), [exported.socket, "SPARSEBUNDLE", list]);
  const info = JSON.parse(await program.must("--info", "--json", image));
  assertEquals([info.format, info["virtual-size"]], ["sparsebundle", 100 * 4096 - 512]);
  await program.must("-d", image);
  await exported.ended();
  Deno.removeSync(`${image}/bands`, { recursive: true });
  const { code, stderr } = await program.run("--info", image);
  assertEquals(code, 1);
  assertMatch(stderr, /Is a directory\n$/);
});

oracleTest("of a folder that is an image, errors say what it is", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeDisk(folder);
  const program = asRoot();
  const isOne = /Is a directory: it is a PARALLELS image \(see --file-fmt-type\)\n$/;
  const uses = [["loop device", "-f"], ["socket", "--socket", folder.file("s")]] as const;
  for (const [made, ...words] of uses) {
    const { code, stderr } = await program.run(...words, image);
    assertEquals(code, 1);
    assertMatch(stderr, isOne);
    assertStringIncludes(stderr, `failed to set up ${made}: `);
  }
  assertMatch((await program.run("--info", "-t", "RAW", image)).stderr, isOne);
  assertMatch((await program.run(image)).stderr, /--show -t PARALLELS .*disk\.hdd/);
  Deno.removeSync(`${image}/${DESCRIPTOR}`);
  assertMatch((await program.run("-f", "auto", image)).stderr, /Is a directory\n$/);
});

oracleTest(
  "a folder whose file cannot be understood is a damaged image, no RAW disk",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.hdd");
    Deno.mkdirSync(image);
    const program = asRoot();
    for (const text of ["", "<nonsense"]) {
      Deno.writeTextFileSync(`${image}/${DESCRIPTOR}`, text);
      for (const words of [["--info"], ["--map"], ["-t", "auto", "--socket", folder.file("s")]]) {
        const { code, stderr } = await program.run(...words, image);
        assertEquals(code, 1, words[0]);
        assertMatch(stderr, /^[^\n]*the file is too short for a header\n$/);
      }
    }
  },
);

oracleTest(
  "of a name that is longer than any can be, an error shows start and end",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.hdd");
    Deno.mkdirSync(image);
    const images = [[1, "Plain", `x${"y".repeat(100_000)}z`]] as const;
    const storages = [{ sectors: SIZE / 512, images }];
    Deno.writeTextFileSync(`${image}/${DESCRIPTOR}`, buildDescriptor({ storages, chain: [1] }));
    const { code, stderr } = await asRoot().run("--map", image);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^tslosetup: [^\n]* xy+\.\.\.y+z \(piece of [^\n]*: No such file or directory\n$/,
    );
    assertEquals(stderr.length < 10_000, true);
  },
);

oracleTest("of a part of a folder that is an image, a warning says so", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeDisk(folder);
  const attach = { folder, image: `${image}/top.hds`, options: ["-r", "-t", "auto"] };
  await using exported = await ExportedImage.attach(attach);
  assertMatch(exported.attached.stderr, /it is only a part of .*disk\.hdd, which has/);
  await check(exported.uri, "read -P 0 0 1M");
  await exported.detach();
});

oracleTest("a folder that is an image of several parts is written to", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeDisk(folder);
  const storages = ["top.hds", "base.hds"].map((file) => ({
    sectors: SIZE / 512,
    images: [[1, "Compressed", file] as const],
  }));
  Deno.writeTextFileSync(`${image}/${DESCRIPTOR}`, buildDescriptor({ storages }));
  await using exported = await ExportedImage.attach({
    folder,
    image,
    options: ["-t", "PARALLELS"],
  });
  assertEquals(exported.attached.stderr, "");
  await check(exported.uri, "write -P 7 7M 2M", "write -z 9M 1M", "flush");
  await check(
    exported.uri,
    "read -P 2 1M 1M",
    "read -P 7 7M 2M",
    "read -P 0 9M 1M",
    "read -P 1 10M 2M",
  );
  await exported.detach();
  for (const [name, at] of [["top.hds", 7], ["base.hds", 0]] as const) {
    await must("qemu-img", "check", "-q", "-f", "parallels", `${image}/${name}`);
    const words = ["-r", "-f", "parallels", "-c", `read -P 7 ${at}M 1M`, `${image}/${name}`];
    assertEquals((await must("qemu-io", ...words)).includes("failed"), false);
  }
});
