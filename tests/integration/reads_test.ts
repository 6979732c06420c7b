// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { IMAGE_TOOLS, type ImageRecipe, makeImage, type TestImage } from "../support/images.ts";
import { eventually } from "../support/patience.ts";
import { ExportedImage, type ExportOptions, mustSoon } from "../support/program.ts";
import { must, oracleTest, rootTest, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;

function mixedImage(folder: TempDirectory, sizeBytes: number): Promise<TestImage> {
  const recipe: ImageRecipe = {
    name: "mixed",
    compat: "1.1",
    clusterBytes: 65536,
    sizeBytes,
    filling: "mixed",
    seed: 5,
  };
  return makeImage(folder.path, recipe);
}

/** Everything that an export gives, over four connections. */
async function copyOf(exported: ExportedImage, folder: TempDirectory): Promise<Uint8Array> {
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", "--connections=4", exported.uri, copy);
  return await Deno.readFile(copy);
}

oracleTest(
  "nbdinfo sees a read-only export with its abilities",
  ["nbdinfo", "qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow2");
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, "5M");
    const options = ["-r", "-t", "QCOW"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    const { exports: [info] } = JSON.parse(await mustSoon("nbdinfo", "--json", exported.uri));
    assertEquals(info["export-size"], 5 * MIB);
    assertEquals(info.is_read_only, true);
    assertEquals(info.can_multi_conn, true);
    assertEquals(info.can_flush, true);
    assertEquals(info.can_trim, false);
    assertEquals(info.can_zero, false);
    assertEquals(info.block_size_minimum, 1);
    assertEquals(info.block_size_maximum, 32 * MIB);
    assertEquals(exported.attached.stderr, "");
    assertStringIncludes(await mustSoon("nbdinfo", "--list", exported.uri), "export-size: 5242880");
  },
);

oracleTest("nbdinfo sees a writable export with its abilities", ["nbdinfo"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.raw");
  Deno.writeFileSync(image, new Uint8Array(MIB + 1));
  await using exported = await ExportedImage.attach({ folder, image });
  const { exports: [info] } = JSON.parse(await mustSoon("nbdinfo", "--json", exported.uri));
  assertEquals(info["export-size"], MIB + 1);
  assertEquals(info.is_read_only, false);
  for (const ability of ["flush", "fua", "multi_conn", "trim", "zero", "fast_zero"]) {
    assertEquals(info[`can_${ability}`], true, ability);
  }
});

/** Options of a window, its start and its end; undefined is the end of the disk. */
const WINDOWS: readonly [options: string[], start: number, end?: number][] = [
  [["-o", "512"], 512],
  [["-o", "1", "--sizelimit", "3"], 1, 4],
  [["--offset", "1536K", "--sizelimit=100KiB"], 1536 * 1024, 1636 * 1024],
  [["--sizelimit", "2M"], 0, 2 * MIB],
  [["-o", "2M", "--sizelimit", "1T"], 2 * MIB],
];

oracleTest(
  "tslosetup --offset and --sizelimit show a window on the virtual disk",
  [...IMAGE_TOOLS, "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const image = await mixedImage(folder, 3 * MIB + 512);
    const raw = await Deno.readFile(image.rawPath);
    for (const [window, start, end] of WINDOWS) {
      const options = ["-r", "-t", "QCOW", ...window];
      await using exported = await ExportedImage.attach({ folder, image: image.path, options });
      assert(sameBytes(await copyOf(exported, folder), raw.subarray(start, end)), window.join(" "));
    }
  },
);

oracleTest(
  "tslosetup --file-fmt-type auto finds out what an image is",
  ["nbdinfo", "qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const qcow = folder.file("disk");
    await must("qemu-img", "create", "-q", "-f", "qcow2", qcow, "5M");
    const raw = folder.file("other");
    Deno.writeFileSync(raw, new Uint8Array(MIB));
    for (const [image, size] of [[qcow, 5 * MIB], [raw, MIB]] as const) {
      const options = ["-r", "--file-fmt-type", "auto"];
      await using exported = await ExportedImage.attach({ folder, image, options });
      assertEquals(Number(await mustSoon("nbdinfo", "--size", exported.uri)), size);
      assertEquals(exported.attached.stderr, "");
    }
  },
);

oracleTest("tslosetup attaches a QCOW file as RAW, and says what it looks like", [
  "qemu-img",
  "nbdinfo",
], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "5M");
  await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
  const { stderr } = exported.attached;
  assertStringIncludes(stderr, "QCOW");
  assertEquals(stderr.split("\n").length, 2);
  assertEquals(
    Number(await mustSoon("nbdinfo", "--size", exported.uri)),
    Deno.statSync(image).size,
  );
});

/** What is compressed, by which words, and what is said of it. */
const COMPRESSED: readonly [script: string, said: RegExp | undefined][] = [
  [
    'qemu-img create -q -f qcow2 "$1" 1M && gzip -c "$1"',
    /begins like a QCOW image: .* -t QCOW\n$/,
  ],
  ['echo text >"$1" && tar -cPf - "$1" | gzip', /it is a tar archive \(tar -xf takes/],
  ['echo text >"$1" && tar -cPf - "$1" | zstd -q', /it is a tar archive \(tar -xf takes/],
  ["head -c 1048576 /dev/zero | gzip", undefined],
];

oracleTest(
  "tslosetup says what is compressed in a file, if that is no disk",
  ["qemu-img", "gzip", "tar", "zstd"],
  async () => {
    for (const [script, said] of COMPRESSED) {
      using folder = new TempDirectory();
      const image = folder.file("disk");
      const make = `set -e; (${script}) >"$2"`;
      await must("sh", "-c", make, "sh", folder.file("content"), image);
      const options = ["-r", "-t", "auto"];
      await using exported = await ExportedImage.attach({ folder, image, options });
      const { stderr } = exported.attached;
      if (said === undefined) assertEquals(stderr, "");
      else assertMatch(stderr, said);
    }
  },
);

/** Copies of what no longer is in the page cache. */
async function coldCopy(options: ExportOptions, raw: Uint8Array): Promise<void> {
  await using exported = await ExportedImage.attach(options);
  await must("sync");
  for (const what of ["1", "3"]) {
    await Deno.writeTextFile("/proc/sys/vm/drop_caches", what);
    assert(sameBytes(await copyOf(exported, options.folder), raw), what);
  }
}

rootTest(
  "tslosetup reads what is not in the page cache",
  [...IMAGE_TOOLS, "nbdcopy", "sync"],
  async () => {
    using folder = new TempDirectory();
    const image = await mixedImage(folder, 24 * MIB);
    const raw = await Deno.readFile(image.rawPath);
    const options = ["-r", "-t", "QCOW"];
    await coldCopy({ folder, image: image.path, options }, raw);
    await coldCopy({ folder, image: image.rawPath, options: ["-r"] }, raw);
  },
);

rootTest(
  "tslosetup reads images on a file system that cannot tell what is cached",
  [...IMAGE_TOOLS, "nbdcopy", "nbdfuse", "sync"],
  async () => {
    using folder = new TempDirectory();
    const image = await mixedImage(folder, 9 * MIB + 512);
    const raw = await Deno.readFile(image.rawPath);
    await using below = await ExportedImage.attach({
      folder,
      image: image.path,
      options: ["-r"],
      name: "below",
    });
    await using fuse = await FuseFile.mount(folder, below.uri);
    for (
      const [format, expected] of [["QCOW", raw], ["RAW", await Deno.readFile(image.path)]] as const
    ) {
      await coldCopy({ folder, image: fuse.path, options: ["-r", "-t", format] }, expected);
    }
  },
);

/** An export as a file, by nbdfuse. */
class FuseFile implements AsyncDisposable {
  private constructor(readonly path: string, readonly process: Deno.ChildProcess) {}

  static async mount(folder: TempDirectory, uri: string): Promise<FuseFile> {
    const path = folder.file("fuse");
    Deno.writeFileSync(path, new Uint8Array());
    const process = new Deno.Command("nbdfuse", {
      args: ["--readonly", path, uri],
      stdin: "null",
    }).spawn();
    const file = new FuseFile(path, process);
    let hasEnded = false;
    process.status.finally(() => hasEnded = true);
    await eventually(() => {
      if (hasEnded) throw new Error("nbdfuse does not mount");
      return Deno.statSync(path).size > 0;
    }, "nbdfuse to mount");
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must("umount", this.path);
    await this.process.status;
  }
}

rootTest("tslosetup reads a block device", ["losetup", "nbdcopy"], async () => {
  using folder = new TempDirectory();
  const backing = folder.file("backing");
  const content = seededBytes(2 * MIB, 3);
  Deno.writeFileSync(backing, content);
  const device = (await must("losetup", "--find", "--show", "-r", backing)).trim();
  try {
    await using exported = await ExportedImage.attach({ folder, image: device });
    assertStringIncludes(exported.attached.stderr, "read-only");
    assert(sameBytes(await copyOf(exported, folder), content));
  } finally {
    await must("losetup", "-d", device);
  }
});
