/**
 * `--commit`: what an overlay has goes to the image below it.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Random, randomOp, stampedBytes } from "../format/qcow/write/random_ops.ts";
import { createEncrypted, fillEncrypted, PASSPHRASE } from "../support/encrypted.ts";
import { asRoot, ExportedImage, programCommand } from "../support/program.ts";
import { must, oracleTest, rootTest, run, TempDirectory } from "../support/tools.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE = 16 * MIB;

/** Bases, and how their overlays are made. */
const PAIRS = [
  { format: "raw", options: [], overlay: [] },
  { format: "qcow2", options: ["-c"], overlay: ["-o", "extended_l2=on"] },
  { format: "qcow2", options: ["-o", "cluster_size=512"], overlay: ["-o", "cluster_size=2M"] },
  { format: "qcow2", options: ["-o", "extended_l2=on"], overlay: ["-o", "compat=0.10"] },
] as const;

/** What qemu writes to as well, but does not make larger. */
const OLD_PAIR = { format: "qcow", options: [], overlay: [] } as const;

type Pair = typeof PAIRS[number] | typeof OLD_PAIR;

/** A base with content, and an overlay with other content; named relatively, so that both can be copied. */
async function makePair(folder: string, { format, options, overlay }: Pair): Promise<void> {
  const content = `${folder}/content`;
  Deno.writeFileSync(content, stampedBytes(0, SIZE, 0));
  const base = `${folder}/base`;
  await must("qemu-img", "convert", "-q", "-f", "raw", "-O", format, ...options, content, base);
  Deno.removeSync(content);
  const top = `${folder}/top`;
  await must("qemu-img", "create", "-qfqcow2", ...overlay, "-b", "base", "-F", format, top);
  await must("qemu-io", "-c", `write -c -P 7 ${8 * MIB} ${2 * MIB}`, top);
  await fill(top, 1);
}

async function fill(top: string, seed: number): Promise<void> {
  const random = new Random(seed);
  const commands: string[] = [];
  for (let id = 1; id <= 60; id++) {
    const op = randomOp(random, { sizeBytes: SIZE, mostBytes: 512 * KIB, unitBytes: 64 * KIB }, id);
    if (op.kind === "write") commands.push(`write -P ${id} ${op.offset} ${op.bytes.length}`);
    else if (op.kind === "zeros") commands.push(`write -z ${op.offset} ${op.length}`);
  }
  await must("qemu-io", "-t", "unsafe", ...commands.flatMap((line) => ["-c", line]), top);
}

/** The disk of an image, as qemu sees it. */
async function diskOf(folder: string, name: string, format: string): Promise<Uint8Array> {
  const raw = `${folder}/disk`;
  await must("qemu-img", "convert", "-f", format, "-O", "raw", `${folder}/${name}`, raw);
  return Deno.readFileSync(raw);
}

/** How much of its disk an image has itself. */
async function ownBytes(image: string): Promise<number> {
  const runs = JSON.parse(await must("qemu-img", "map", "--output=json", "-fqcow2", image)) as {
    readonly length: number;
    readonly depth: number;
  }[];
  return runs.filter(({ depth }) => depth === 0).reduce((sum, { length }) => sum + length, 0);
}

async function checked(image: string): Promise<void> {
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
}

for (const pair of [...PAIRS, OLD_PAIR]) {
  const what = `${pair.format} ${pair.options.join(" ")}, ${pair.overlay.join(" ")}`;
  oracleTest(
    `--commit does what qemu-img commit does (${what})`,
    ["qemu-img", "qemu-io"],
    async () => {
      using ours = new TempDirectory();
      using theirs = new TempDirectory();
      for (const folder of [ours, theirs]) await makePair(folder.path, pair);
      const shown = await diskOf(ours.path, "top", "qcow2");
      await asRoot().must("--commit", ours.file("top"));
      await must("qemu-img", "commit", "-q", theirs.file("top"));
      const base = await diskOf(ours.path, "base", pair.format);
      assertEquals(base, await diskOf(theirs.path, "base", pair.format));
      assertEquals(base, shown);
      assertEquals(await diskOf(ours.path, "top", "qcow2"), shown);
      assertEquals(await ownBytes(ours.file("top")), await ownBytes(theirs.file("top")));
      await checked(ours.file("top"));
      if (pair.format === "qcow2") await checked(ours.file("base"));
      // Nothing is left to be done, and it can be used again.
      await asRoot().must("--commit", ours.file("top"));
      await fill(ours.file("top"), 2);
      const again = await diskOf(ours.path, "top", "qcow2");
      await asRoot().must("--commit", ours.file("top"));
      assertEquals(await diskOf(ours.path, "base", pair.format), again);
    },
  );
}

/** The calls by which images are changed. */
const CALLS = ["pwrite64", "fdatasync", "fallocate", "ftruncate"] as const;

/** The program, killed at one of its calls; false if it makes fewer of them. */
async function killedAt(call: string, number: number, ...args: string[]): Promise<boolean> {
  const inject = `inject=${call}:signal=SIGKILL:when=${number}`;
  const tracing = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`];
  const command = [...tracing, "-e", inject, ...programCommand(), ...args];
  const output = await new Deno.Command("strace", { args: command, stderr: "null" }).output();
  return !output.success;
}

for (const pair of PAIRS.slice(0, 2)) {
  const tools = ["qemu-img", "qemu-io", "strace"] as const;
  oracleTest(`--commit to ${pair.format} that is killed can be begun anew`, tools, async () => {
    using pristine = new TempDirectory();
    await makePair(pristine.path, pair);
    const shown = await diskOf(pristine.path, "top", "qcow2");
    let kills = 0;
    for (const call of CALLS) {
      for (let number = 1;; number = number * 3 + 1) {
        using folder = new TempDirectory();
        const names = ["base", "top"];
        for (const name of names) Deno.copyFileSync(pristine.file(name), folder.file(name));
        const wasKilled = await killedAt(call, number, "--commit", folder.file("top"));
        assertEquals(await diskOf(folder.path, "top", "qcow2"), shown, `${call} ${number}`);
        for (const name of pair.format === "qcow2" ? names : ["top"]) {
          const { code, stdout } = await run("qemu-img", "check", "-fqcow2", folder.file(name));
          assert(code === 0 || code === 3, stdout);
        }
        await asRoot().must("--commit", folder.file("top"));
        assertEquals(await diskOf(folder.path, "base", pair.format), shown);
        assertEquals(await ownBytes(folder.file("top")), 0);
        if (!wasKilled) break;
        kills++;
      }
    }
    assert(kills >= 2 * CALLS.length, `killed ${kills} times only`);
  });
}

for (const pair of PAIRS) {
  const what = `${pair.format} ${pair.options.join(" ")}`;
  oracleTest(`--commit has a base grow with its overlay, as qemu does (${what})`, [
    "qemu-img",
    "qemu-io",
  ], async () => {
    using ours = new TempDirectory();
    using theirs = new TempDirectory();
    for (const folder of [ours, theirs]) {
      await makePair(folder.path, pair);
      const top = folder.file("top");
      await must("qemu-img", "resize", "-q", "-f", "qcow2", top, `${SIZE + 3 * MIB}`);
      await must("qemu-io", "-c", `write -P 9 ${SIZE - KIB} ${64 * KIB}`, top);
    }
    await asRoot().must("--commit", ours.file("top"));
    await must("qemu-img", "commit", "-q", theirs.file("top"));
    const base = await diskOf(ours.path, "base", pair.format);
    assertEquals(base.length, SIZE + 3 * MIB);
    assertEquals(base, await diskOf(theirs.path, "base", pair.format));
    if (pair.format === "qcow2") await checked(ours.file("base"));
  });
}

oracleTest("--commit leaves a raw base alone that does not end with a sector", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const base = folder.file("base");
  Deno.writeFileSync(base, stampedBytes(0, MIB + 100, 0));
  const top = folder.file("top");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", top);
  await must("qemu-io", "-c", "write -P 9 0 4k", top);
  await asRoot().must("--commit", top);
  assertEquals(Deno.statSync(base).size, MIB + 100);
  await must("qemu-io", "-c", `write -P 9 ${MIB} 512`, top);
  await asRoot().must("--commit", top);
  assertEquals(Deno.readFileSync(base).subarray(MIB), new Uint8Array(512).fill(9));
});

oracleTest("--commit keeps snapshots of the overlay", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  await makePair(folder.path, PAIRS[1]);
  const top = folder.file("top");
  await must("qemu-io", "-c", `write -P 1 0 ${SIZE}`, top);
  await must("qemu-img", "snapshot", "-c", "then", top);
  await fill(top, 3);
  const shown = await diskOf(folder.path, "top", "qcow2");
  await asRoot().must("--commit", top);
  assertEquals(await diskOf(folder.path, "top", "qcow2"), shown);
  await checked(top);
  const then = folder.file("then");
  await must("qemu-img", "convert", "-l", "snapshot.name=then", "-O", "raw", top, then);
  assertEquals(Deno.readFileSync(then), new Uint8Array(SIZE).fill(1));
});

oracleTest("--commit of an encrypted overlay asks for its passphrase", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const base = folder.file("base");
  Deno.writeFileSync(base, new Uint8Array(MIB));
  const top = folder.file("top");
  const luks = ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"];
  const options = [...luks, `backing_file=${base}`, "backing_fmt=raw"];
  await createEncrypted(top, MIB, { format: "qcow2", options });
  await fillEncrypted(top, "qcow2", ["write -P 5 64k 64k"]);
  const { code, stderr } = await asRoot().run("--commit", top);
  assertEquals(code, 1);
  assert(stderr.includes("--key-file"), stderr);
  Deno.writeTextFileSync(folder.file("key"), PASSPHRASE);
  await asRoot().must("--commit", "--key-file", folder.file("key"), top);
  const wanted = new Uint8Array(MIB);
  wanted.fill(5, 64 * KIB, 128 * KIB);
  assertEquals(Deno.readFileSync(base), wanted);
});

oracleTest("--commit says in one line why not, and changes nothing", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const create = (name: string, ...options: string[]): Promise<string> =>
    must("qemu-img", "create", "-q", "-f", "qcow2", ...options, folder.file(name), "1M");
  await create("alone");
  Deno.writeTextFileSync(folder.file("text"), "text\n");
  await must("qemu-img", "create", "-q", "-f", "qcow", folder.file("old"), "1M");
  using elsewhere = new TempDirectory();
  Deno.writeFileSync(elsewhere.file("far"), new Uint8Array(MIB));
  await create("away", "-b", elsewhere.file("far"), "-F", "raw");
  Deno.writeFileSync(folder.file("near"), new Uint8Array(MIB));
  await create("used", "-b", "near", "-F", "raw");
  for (const name of ["away", "used"]) {
    await must("qemu-io", "-c", "write -P 1 0 4k", folder.file(name));
  }
  const image = folder.file("near");
  await using _user = await ExportedImage.attach({ folder, image, options: ["-r"] });
  const reasons: [name: string, reason: string][] = [
    ["alone", "it has no backing file"],
    ["text", "it has no backing file"],
    ["away", "not allowed: it would be written to"],
    ["used", "is in use by tslosetup"],
    ["none", "No such file or directory"],
  ];
  for (const [name, reason] of reasons) {
    const { code, stderr } = await asRoot().run("--commit", folder.file(name));
    assertEquals(code, 1, name);
    assert(stderr.includes(`${folder.file(name)}: failed to commit: `), stderr);
    assert(stderr.includes(reason), stderr);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
  }
  await asRoot().must("--commit", "--allow-backing", elsewhere.path, folder.file("away"));
  assertEquals(Deno.readFileSync(elsewhere.file("far"))[0], 1);
});

rootTest("a --commit to a disk that is full names it, and leaves nothing there", [
  "mount",
  "umount",
  "qemu-img",
  "qemu-io",
], async () => {
  using folder = new TempDirectory();
  const full = folder.file("full");
  Deno.mkdirSync(full);
  await must("mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", full);
  try {
    const base = `${full}/base`;
    await must("qemu-img", "create", "-qfqcow2", base, "16M");
    const top = folder.file("top");
    await must("qemu-img", "create", "-qfqcow2", "-b", base, "-F", "qcow2", top);
    await must("qemu-io", "-c", "write -P 6 0 8M", top);
    const { code, stderr } = await asRoot().run("--commit", top);
    assertEquals(code, 1);
    assertEquals(
      stderr,
      `tslosetup: ${top}: failed to commit: ${base}: No space left on device\n`,
    );
    await checked(base);
    await must("qemu-io", "-r", "-c", "read -P 6 0 8M", top);
    await must("mount", "-o", "remount,size=32M", full);
    await asRoot().must("--commit", top);
    await checked(base);
    await must("qemu-io", "-r", "-c", "read -P 6 0 8M", base);
  } finally {
    await must("umount", full);
  }
});
