/**
 * Overlays that stay: QCOW images over the one that is attached.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Random, randomOp, stampedBytes } from "../format/qcow/write/random_ops.ts";
import { patiently } from "../support/patience.ts";
import { asRoot, asRootElsewhere, bindStates, ExportedImage } from "../support/program.ts";
import { QemuNbd } from "../support/qemu_nbd.ts";
import { must, oracleTest, rootTest, run, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE = 8 * MIB;

/** Images to be covered: how they are made, and what qemu and we call their formats. */
const BASES = [
  { format: "raw", name: "RAW", options: [] },
  { format: "qcow2", name: "QCOW", options: ["-c"] },
  { format: "qcow2", name: "auto", options: ["-o", "cluster_size=512"] },
  { format: "qcow", name: "QCOW1", options: [] },
] as const;

async function makeBase(
  folder: string,
  { format, options }: typeof BASES[number],
): Promise<string> {
  const raw = `${folder}/content`;
  Deno.writeFileSync(raw, stampedBytes(0, SIZE, 0));
  const base = `${folder}/base`;
  await must("qemu-img", "convert", "-q", "-f", "raw", "-O", format, ...options, raw, base);
  Deno.removeSync(raw);
  return base;
}

/** The same changes each time it is asked for them. */
async function change(socket: string, seed: number): Promise<void> {
  using client = await NbdClient.connect(socket);
  const random = new Random(seed);
  const limits = { sizeBytes: SIZE, mostBytes: 300 * KIB, unitBytes: 64 * KIB };
  for (let id = 1; id <= 150; id++) {
    const op = randomOp(random, limits, id);
    if (op.kind !== "discard") await client.change(op);
  }
}

async function checked(image: string): Promise<void> {
  const { code, stdout } = await run("qemu-img", "check", image);
  assertEquals(code, 0, stdout);
}

async function infoOf(path: string): Promise<Record<string, unknown>> {
  const { filename: _name, "actual-size": _size, children: _children, ...info } = JSON.parse(
    await must("qemu-img", "info", "--output=json", path),
  );
  return info;
}

for (const base of BASES) {
  oracleTest(
    `an overlay of a ${base.name} image (${base.format} ${
      base.options.join(" ")
    }) is what qemu makes it`,
    ["qemu-img", "qemu-nbd"],
    async () => {
      using folder = new TempDirectory();
      const image = await makeBase(folder.path, base);
      const before = Deno.readFileSync(image);
      const ours = folder.file("ours");
      const options = ["-t", base.name, `--overlay=${ours}`];
      for (const seed of [1, 2]) {
        await using exported = await ExportedImage.attach({ folder, image, options });
        await change(exported.socket, seed);
        await exported.detach();
        await checked(ours);
      }
      assertEquals(Deno.readFileSync(image), before);
      const theirs = folder.file("theirs");
      await must("qemu-img", "create", "-qfqcow2", "-b", "base", "-F", base.format, theirs);
      {
        await using _server = await QemuNbd.start(folder, theirs, "-f", "qcow2");
        for (const seed of [1, 2]) await change(folder.file("qemu-nbd"), seed);
      }
      await must("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", ours, theirs);
      assertEquals(await infoOf(ours), await infoOf(theirs));
    },
  );
}

/** The name that an overlay records. */
async function recordedName(overlay: string): Promise<unknown> {
  return (await infoOf(overlay))["backing-filename"];
}

oracleTest("an overlay names its image so that it is found", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("a:b");
  Deno.writeFileSync(image, stampedBytes(0, MIB, 0));
  const elsewhere = folder.file("elsewhere");
  Deno.mkdirSync(elsewhere);
  const names: [overlay: string, name: string][] = [
    [folder.file("beside"), "./a:b"],
    [`${elsewhere}/away`, image],
  ];
  for (const [overlay, name] of names) {
    for (const _times of [1, 2]) {
      const options = [`--overlay=${overlay}`];
      await using exported = await ExportedImage.attach({ folder, image, options });
      await exported.detach();
    }
    assertEquals(await recordedName(overlay), name);
    await must("qemu-img", "compare", "-f", "qcow2", "-F", "raw", overlay, `file:${image}`);
  }
});

Deno.test("an overlay has the mode of its image, as far as others are concerned", async () => {
  using folder = new TempDirectory();
  const image = folder.file("image");
  Deno.writeFileSync(image, new Uint8Array(MIB));
  for (const [mode, wanted] of [[0o400, 0o600], [0o640, 0o640]] as const) {
    Deno.chmodSync(image, mode);
    const overlay = folder.file(`overlay${mode}`);
    const options = [`--overlay=${overlay}`];
    await using _exported = await ExportedImage.attach({ folder, image, options });
    assertEquals((Deno.statSync(overlay).mode ?? 0) & 0o777, wanted & ~Deno.umask());
  }
});

oracleTest("what is no overlay of the image is refused, and left alone", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const [image, other] = [folder.file("image"), folder.file("other")];
  Deno.writeFileSync(image, new Uint8Array(MIB));
  Deno.writeFileSync(other, new Uint8Array(MIB).fill(1));
  const create = (name: string, ...options: string[]): Promise<string> =>
    must("qemu-img", "create", "-q", "-f", "qcow2", ...options, folder.file(name), "1M");
  await create("alone");
  await create("others", "-b", other, "-F", "raw");
  await create("formatted", "-u", "-b", image, "-F", "qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow", folder.file("old"), "1M");
  Deno.writeTextFileSync(folder.file("text"), "not an image\n");
  Deno.writeTextFileSync(folder.file("empty"), "");
  Deno.symlinkSync(folder.file("nowhere"), folder.file("link"));
  const reasons: [name: string, reason: string][] = [
    ["alone", "is there, and has no backing file"],
    ["others", `is there, and is an overlay of ${other}`],
    ["formatted", "is there, and takes the format of the image for 'qcow2'"],
    ["old", "is there, and is no QCOW image"],
    ["text", "is there, and is no QCOW image"],
    ["empty", "is there, and is no QCOW image"],
    ["image", "is the image itself"],
    ["link", ` is a symbolic link to ${folder.file("nowhere")}, which is not there`],
    ["none/overlay", ": No such file or directory"],
    [".", "Is a directory"],
  ];
  const files = (): string[] => [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  const before = files();
  for (const [name, reason] of reasons) {
    const path = folder.file(name);
    const args = [`--overlay=${path}`, "--socket", folder.file("socket"), image];
    const { code, stderr } = await asRoot().run(...args);
    assertEquals(code, 1, name);
    const shown = name.startsWith("none/") ? folder.file("none") : path;
    assert(stderr.includes(shown) && stderr.includes(reason), `${name}: ${stderr}`);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
    assertEquals(files(), before);
  }
});

oracleTest(
  "an overlay is written to by one, while others use the image",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("image");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    const overlay = folder.file("overlay");
    const options = [`--overlay=${overlay}`];
    await using _exported = await ExportedImage.attach({ folder, image, options });
    const again = await asRoot().run(...options, "--socket", folder.file("again"), image);
    assertEquals(again.code, 1);
    assert(again.stderr.includes(`the image is in use by tslosetup`), again.stderr);
    const second = { folder, image, options: ["--overlay"], name: "second" };
    await using _other = await ExportedImage.attach(second);
    const third = { folder, image, options: [`--overlay=${overlay}2`], name: "third" };
    await using _third = await ExportedImage.attach(third);
    const writer = await run("qemu-io", "-f", "raw", "-c", "write 0 4k", image);
    assertEquals(writer.code, 1, "qemu writes to an image that overlays need");
  },
);

Deno.test("an image that cannot be attached gets no overlay", async () => {
  using folder = new TempDirectory();
  const image = folder.file("image");
  Deno.writeFileSync(image, new Uint8Array(MIB));
  const overlay = folder.file("overlay");
  const args = ["-t", "QCOW", `--overlay=${overlay}`, "--socket", folder.file("socket"), image];
  assertEquals((await asRoot().run(...args)).code, 1);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["image"]);
});

/** The calls by which an overlay is made, and how many of each there are before it is there. */
const CALLS = [["ftruncate", 1], ["pwrite64", 3], ["fsync", 1], ["linkat", 1]] as const;

rootTest("an overlay whose making is killed is not there, or whole", ["strace"], async () => {
  for (const [call, count] of CALLS) {
    for (let number = 1; number <= count; number++) {
      using folder = new TempDirectory();
      const image = folder.file("image");
      Deno.writeFileSync(image, new Uint8Array(MIB));
      const inject = `inject=${call}:signal=SIGKILL:when=${number}`;
      const strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `trace=${call}`,
        "-e",
        inject,
      ];
      const states = ["unshare", "--mount", "sh", "-c", `${bindStates()} && exec "$@"`, "sh"];
      const program = asRootElsewhere(patiently(...states, ...strace));
      const overlay = folder.file("overlay");
      const words = [`--overlay=${overlay}`, "--socket", folder.file("socket"), image];
      const { code, stderr } = await program.run(...words);
      assertEquals(code, 1, `${call} ${number}: ${stderr}`);
      const left = [...Deno.readDirSync(folder.path)].map(({ name }) => name);
      assert(left.every((name) => name === "image" || name === "socket"), left.join());
      const options = [`--overlay=${overlay}`];
      await using exported = await ExportedImage.attach({ folder, image, options, name: "again" });
      await exported.detach();
    }
  }
});
