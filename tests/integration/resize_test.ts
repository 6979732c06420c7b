/**
 * `--resize`: disks that are made larger.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { createEncrypted, PASSPHRASE } from "../support/encrypted.ts";
import { asRoot, ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const program = asRoot();

async function virtualSize(image: string): Promise<number> {
  const text = await must("qemu-img", "info", "-U", "--output=json", image);
  return JSON.parse(text)["virtual-size"];
}

async function createImage(folder: TempDirectory, ...options: string[]): Promise<string> {
  const image = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, image, "64M");
  return image;
}

oracleTest("--resize makes the disk of an image larger", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder, "-o", "cluster_size=4096");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 5 60M 4M", image);
  for (const [size, bytes] of [["100MiB", 100], ["+1G", 1124], ["0x80000000", 2048]] as const) {
    assertEquals(await program.must("--resize", size, image), "");
    assertEquals(await virtualSize(image), bytes * MIB);
    const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
    assertEquals(code, 0, stdout);
  }
  const reads = ["-c", "read -q -P 5 60M 4M", "-c", "read -q -P 0 64M 512M"];
  await must("qemu-io", "-r", "-f", "qcow2", ...reads, image);
  assertEquals(program.processes(), []);
});

oracleTest("--resize takes RAW images, and refuses what cannot be", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const raw = folder.file("raw");
  Deno.writeFileSync(raw, new Uint8Array(MIB).fill(7));
  await program.must("--resize", "+3M", raw);
  assertEquals(Deno.statSync(raw).size, 4 * MIB);
  await program.must("--resize", "4M", "-t", "RAW", raw);
  const image = await createImage(folder);
  const refused = async (words: readonly string[], pattern: RegExp): Promise<void> => {
    const { code, stderr } = await program.run(...words);
    assertEquals(code, 1);
    assertMatch(stderr, pattern);
    assertEquals(stderr.trim().split("\n").length, 1);
  };
  await refused(["--resize", "1M", raw], /: failed to resize: it has 4194304 bytes, and is not/);
  await refused(["--resize", "1M", image], /: failed to resize: it has 67108864 bytes, and is not/);
  await refused(["--resize", "-1M", image], /: '-1M': a disk is not made smaller/);
  await refused(["--resize", "67108865", image], /multiple of 512/);
  await refused(["--resize", "3P", image], /an image has \d+ bytes at most/);
  await refused(["--resize", "many", image], /failed to parse size: 'many': Invalid argument/);
  assertEquals(await virtualSize(image), 64 * MIB);
  assertEquals(Deno.statSync(raw).size, 4 * MIB);
});

oracleTest("--resize unlocks what is encrypted", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("image.qcow2");
  await createEncrypted(image, 2 * MIB, {
    format: "qcow2",
    options: ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"],
  });
  const keyFile = folder.file("key");
  Deno.writeTextFileSync(keyFile, PASSPHRASE);
  const { code, stderr } = await program.run("--resize", "+1M", image);
  assertEquals(code, 1);
  assertMatch(stderr, /passphrase/);
  await program.must("--resize", "+1M", "--key-file", keyFile, image);
});

oracleTest("--resize refuses an image in use", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  const { code, stderr } = await program.run("--resize", "1G", image);
  assertEquals(code, 1);
  assertMatch(stderr, /failed to resize: .*in use/);
  await exported.detach();
  await program.must("--resize", "1G", image);
  await mustSoon("qemu-img", "check", "-q", "-f", "qcow2", image);
});
