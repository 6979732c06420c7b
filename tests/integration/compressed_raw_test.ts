/**
 * Plain disk images that are compressed as a whole.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { asRoot, ExportedImage, mustSoon, programCommand } from "../support/program.ts";
import { must, oracleTest, rootTest, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const SIZE = 12 * MIB + 1536;

/** A disk of what repeats, what does not, and zeros. */
function makeDisk(folder: TempDirectory): string {
  const path = folder.file("disk.raw");
  const bytes = new Uint8Array(SIZE);
  for (let at = 0; at < 4 * MIB; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65536));
  }
  for (let at = 5 * MIB; at < 9 * MIB; at++) bytes[at] = at >>> 10;
  bytes.fill(1, SIZE - 3);
  Deno.writeFileSync(path, bytes);
  return path;
}

/** A way to compress, by a shell's words: `$1` becomes `$2`. */
interface Way {
  readonly format: string;
  readonly script: string;
  /** Whether the size of the disk can be told before all is decompressed. */
  readonly tellsSize: boolean;
}

const WAYS: readonly Way[] = [
  { format: "GZIP", script: 'gzip -c "$1" >"$2"', tellsSize: false },
  {
    format: "GZIP",
    script: '(head -c 5000000 "$1" | gzip -9; tail -c +5000001 "$1" | gzip -1) >"$2"',
    tellsSize: false,
  },
  { format: "ZSTD", script: 'zstd -q -T2 "$1" -o "$2"', tellsSize: true },
  { format: "ZSTD", script: 'zstd -q -c --no-check "$1" | cat >"$2"', tellsSize: true },
  { format: "ZSTD", script: 'zstd -q <"$1" >"$2"', tellsSize: false },
  { format: "ZSTD", script: 'pzstd -q -p 2 "$1" -o "$2"', tellsSize: false },
  { format: "XZ", script: 'xz -T2 --block-size=1MiB -0 -c "$1" >"$2"', tellsSize: true },
  { format: "XZ", script: 'xz -T2 --block-size=5MiB -0 -c "$1" >"$2"', tellsSize: true },
  { format: "XZ", script: 'xz -T1 -0 -c "$1" >"$2"', tellsSize: true },
];

async function compress(way: Way, folder: TempDirectory): Promise<string> {
  const image = folder.file("image");
  await must("sh", "-ec", way.script, "sh", folder.file("disk.raw"), image);
  return image;
}

for (const way of WAYS) {
  oracleTest(
    `the disk that was compressed shows: ${way.script}`,
    ["gzip", "nbdcopy", "zstd", "pzstd", "xz", "cmp"],
    async () => {
      using folder = new TempDirectory();
      const raw = makeDisk(folder);
      const image = await compress(way, folder);
      const info = JSON.parse(await asRoot().must("--info", "--json", image));
      assertEquals([info.format, info["virtual-size"]], [
        way.format.toLowerCase(),
        way.tellsSize ? SIZE : undefined,
      ]);
      await using exported = await ExportedImage.attach({
        folder,
        image,
        options: ["-r", "-t", "auto"],
      });
      assertEquals(exported.attached.stderr, "");
      const copy = folder.file("copy");
      await mustSoon("nbdcopy", "--connections=3", exported.uri, copy);
      await must("cmp", raw, copy);
    },
  );
}

const [GZIP, , , , PIPED] = WAYS as [Way, Way, Way, Way, Way];

oracleTest(
  "a part of a compressed disk is all that is decompressed",
  ["gzip", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    makeDisk(folder);
    const image = await compress(GZIP, folder);
    // What is cut off lies behind what is asked for.
    Deno.truncateSync(image, Deno.statSync(image).size - 100);
    const limits = ["-o", "1M", "--sizelimit", "2M"];
    const options = ["-r", "-t", "GZIP", ...limits];
    await using exported = await ExportedImage.attach({ folder, image, options });
    const copy = folder.file("copy");
    await mustSoon("nbdcopy", exported.uri, copy);
    const expected = Deno.readFileSync(folder.file("disk.raw")).subarray(MIB, 3 * MIB);
    assertEquals(Deno.readFileSync(copy).length, 2 * MIB);
    assertEquals(Deno.readFileSync(copy).every((byte, at) => byte === expected[at]), true);
  },
);

oracleTest(
  "a compressed file that is damaged is refused in one line",
  ["gzip", "zstd"],
  async () => {
    using folder = new TempDirectory();
    makeDisk(folder);
    const image = await compress(GZIP, folder);
    Deno.truncateSync(image, Deno.statSync(image).size - 100);
    const words = ["--socket", folder.file("socket"), "-r", "-t", "GZIP"];
    const { code, stderr } = await asRoot().run(...words, image);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "it ends too soon");
    assertEquals(stderr.trim().split("\n").length, 1);
    const covered = await asRoot().run(
      ...words.filter((word) => word !== "-r"),
      "--overlay=ram",
      image,
    );
    assertStringIncludes(covered.stderr, "before it is decompressed");
    const nowhere = asRoot({ TMPDIR: folder.file("nowhere") });
    const { stderr: lost } = await nowhere.run(...words, image);
    assertStringIncludes(lost, "No such file or directory ($TMPDIR names another folder)");
  },
);

/** A file system of few megabytes, until the end of the scope. */
class SmallFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async mount(path: string, sizeBytes: number): Promise<SmallFolder> {
    Deno.mkdirSync(path);
    await must("mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "none", path);
    return new SmallFolder(path);
  }

  /** What is stored there, in bytes. */
  get usedBytes(): number {
    const args = ["--block-size=1", "--output=used", this.path];
    const text = new TextDecoder().decode(new Deno.Command("df", { args }).outputSync().stdout);
    return Number(text.trim().split("\n")[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must("umount", this.path);
  }
}

rootTest(
  "where there is no room for what is decompressed, that is said, and nothing is left of it",
  ["gzip", "mount", "umount", "df", "zstd"],
  async () => {
    using folder = new TempDirectory();
    makeDisk(folder);
    await using small = await SmallFolder.mount(folder.file("small"), 2 * MIB);
    const program = asRoot({ TMPDIR: small.path });
    const image = await compress(GZIP, folder);
    const words = ["--socket", folder.file("socket"), "-r", "-t", "auto"];
    const { code, stderr } = await program.run(...words, image);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `${small.path}: No space left on device ($TMPDIR names another`);
    assertEquals(stderr.trim().split("\n").length, 1);
    await eventually(() => small.usedBytes === 0, "the room to be given back");
  },
);

rootTest(
  "what is decompressed is gone with the daemon, even if that is killed",
  ["mount", "umount", "df", "zstd", "nbdcopy", "cmp"],
  async () => {
    using folder = new TempDirectory();
    const raw = makeDisk(folder);
    await using small = await SmallFolder.mount(folder.file("small"), 32 * MIB);
    const image = await compress(PIPED, folder);
    const as = asRoot({ TMPDIR: small.path });
    await using exported = await ExportedImage.attach({
      folder,
      image,
      options: ["-r", "-t", "ZSTD"],
      as,
    });
    await mustSoon("nbdcopy", exported.uri, folder.file("copy"));
    await must("cmp", raw, folder.file("copy"));
    const used = small.usedBytes;
    assert(used > 8 * MIB && used < 10 * MIB, `${used} bytes: zeros are not stored`);
    Deno.kill(exported.pid, "SIGKILL");
    await exported.ended();
    await eventually(() => small.usedBytes === 0, "the room to be given back");
  },
);

rootTest(
  "of a disk that is larger than the room for it, a warning says so; zeros need none",
  ["mount", "umount", "df", "xz", "nbdcopy", "cmp", "truncate"],
  async () => {
    using folder = new TempDirectory();
    const raw = folder.file("disk.raw");
    await must("truncate", "--size=40M", raw);
    await using small = await SmallFolder.mount(folder.file("small"), 2 * MIB);
    const image = folder.file("image");
    await must("sh", "-ec", 'xz -T1 -0 -c "$1" >"$2"', "sh", raw, image);
    const as = asRoot({ TMPDIR: small.path });
    const options = ["-r", "-t", "XZ"];
    await using exported = await ExportedImage.attach({ folder, image, options, as });
    const warning = `there is room for ${2 * MIB} of up to ${40 * MIB} bytes ($TMPDIR names`;
    assertStringIncludes(exported.attached.stderr, warning);
    await mustSoon("nbdcopy", exported.uri, folder.file("copy"));
    await must("cmp", raw, folder.file("copy"));
  },
);

oracleTest("a terminal shows how far decompressing is", ["gzip", "script"], async () => {
  using folder = new TempDirectory();
  makeDisk(folder);
  const image = await compress(GZIP, folder);
  const socket = folder.file("socket");
  const words = [...programCommand(), "--socket", socket, "-r", "-t", "auto", image];
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const shown = await must("script", "-qec", quoted, "/dev/null");
  await asRoot().must("-d", socket);
  assertStringIncludes(shown, "decompressed:  ");
  assertStringIncludes(shown, " %");
  assert(shown.endsWith("\r\x1b[K"), JSON.stringify(shown));
});
