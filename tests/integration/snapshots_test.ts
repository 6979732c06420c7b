/**
 * `--snapshot-create`, `--snapshot-apply` and `--snapshot-delete`: of image files.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const KIB = 1024;
const program = asRoot();

async function createImage(folder: TempDirectory, ...options: string[]): Promise<string> {
  const image = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, image, "1M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 1 0 256k", image);
  return image;
}

async function refused(words: readonly string[], pattern: RegExp): Promise<void> {
  const { code, stderr } = await program.run(...words);
  assertEquals(code, 1);
  assertMatch(stderr, pattern);
  assertEquals(stderr.trim().split("\n").length, 1, stderr);
}

async function mustHave(image: string, pattern: number): Promise<void> {
  await must("qemu-io", "-r", "-f", "qcow2", "-c", `read -q -P ${pattern} 0 256k`, image);
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
}

oracleTest("snapshots are made, applied and deleted", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  assertEquals(await program.must("--snapshot-create", "before", image), "");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 2 0 256k", image);
  await mustHave(image, 2);
  const [{ snapshots: [listed] }] = [JSON.parse(await program.must("--info", "--json", image))];
  assertEquals([listed.id, listed.name, listed["vm-state-size"]], ["1", "before", 0]);
  assert(Math.abs(listed["date-sec"] - (Deno.statSync(image).mtime?.getTime() ?? 0) / 1000) < 600);
  await program.must("--snapshot-apply", "before", "-t", "qcow2", image);
  await mustHave(image, 1);
  await program.must("--snapshot-delete=before", image);
  await mustHave(image, 1);
  assertEquals(JSON.parse(await program.must("--info", "--json", image)).snapshots, undefined);
  assertEquals(program.processes(), []);
});

oracleTest("what a deleted snapshot had is given back", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  const takes = (): number => (Deno.statSync(image).blocks ?? 0) * 512;
  const before = takes();
  await program.must("--snapshot-create", "before", image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 2 0 256k", image);
  assert(takes() >= before + 256 * KIB, `${before} bytes, then ${takes()}`);
  await program.must("--snapshot-delete", "before", image);
  assert(takes() <= before + 128 * KIB, `${before} bytes, then ${takes()}`);
});

oracleTest("what cannot have snapshots is left as it is", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  const raw = folder.file("raw");
  Deno.writeFileSync(raw, new Uint8Array(1024 * KIB).fill(7));
  const old = folder.file("old.qcow");
  await must("qemu-img", "create", "-q", "-f", "qcow", old, "1M");
  const bytes = Deno.readFileSync(image);
  await refused(
    ["--snapshot-create", "x", raw],
    /raw: failed to create the snapshot: RAW images have no/,
  );
  await refused(["--snapshot-create", "x", old], /QCOW1 images have no internal snapshots$/m);
  await refused(["--snapshot-create", "", image], /a snapshot has to have a name$/m);
  await refused(["--snapshot-create", "x".repeat(256), image], /255 bytes at most$/m);
  await refused(
    ["--snapshot-apply", "x", image],
    /failed to apply .*no snapshot 'x'; the image has none/,
  );
  await refused(
    ["--snapshot-delete", "x", image],
    /failed to delete .*no snapshot 'x'; the image has none/,
  );
  await refused(["--snapshot-create", "x", folder.file("none")], /No such file or directory$/m);
  assertEquals(Deno.readFileSync(image), bytes);
  await program.must("--snapshot-create", "x".repeat(255), image);
});

oracleTest("features that forbid a snapshot are told", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const data = ["-o", `data_file=${folder.file("data")}`];
  await refused(
    ["--snapshot-create", "x", await createImage(folder, ...data)],
    /external data file/,
  );
  const bits = await createImage(folder, "-o", "refcount_bits=1");
  const size = Deno.statSync(bits).size;
  await refused(
    ["--snapshot-create", "x", bits],
    /so few bits that clusters are used once at most$/m,
  );
  assertEquals(Deno.statSync(bits).size, size);
  await mustHave(bits, 1);
  const image = await createImage(folder);
  await must("qemu-img", "bitmap", "--add", image, "bitmap");
  await program.must("--snapshot-create", "x", image);
  await refused(["--snapshot-apply", "x", image], /it has bitmaps/);
  await program.must("--snapshot-delete", "x", image);
  const [bitmap] =
    JSON.parse(await must("qemu-img", "info", "--output=json", image))["format-specific"]
      .data.bitmaps;
  assertEquals([bitmap.name, bitmap.flags], ["bitmap", ["auto"]]);
});

oracleTest("a damaged image is left as it is", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await program.must("--snapshot-create", "x", image);
  const bytes = Deno.readFileSync(image);
  // All counts are 0 then.
  const view = new DataView(bytes.buffer);
  const block = Number(view.getBigUint64(Number(view.getBigUint64(48))));
  bytes.fill(0, block, block + 64 * KIB);
  Deno.writeFileSync(image, bytes);
  for (const action of ["create", "apply", "delete"]) {
    await refused([`--snapshot-${action}`, "x", image], /has faults, .*--check tells of it/);
  }
  assertEquals(Deno.readFileSync(image), bytes);
  await program.must("--check", "--repair", "all", image);
  await program.must("--snapshot-apply", "x", image);
  await mustHave(image, 1);
});

oracleTest("no snapshot is applied to what is in use", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await program.must("--snapshot-create", "x", image);
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  await refused(["--snapshot-apply", "x", image], /the image is in use by tslosetup/);
  await refused(["--snapshot-apply", "x", exported.socket], /it is in use: detach it first/);
  await exported.detach();
  await program.must("--snapshot-apply", "x", image);
});

oracleTest("the past can be written to, and stays as it was", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await program.must("--snapshot-create", "x", image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 2 0 256k", image);
  const bytes = Deno.readFileSync(image);
  const options = ["--overlay", "--snapshot", "x", "-t", "QCOW"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const commands = ["read -q -P 1 0 256k", "write -q -P 3 0 128k", "read -q -P 3 0 128k"];
  const words = commands.flatMap((command) => ["-c", command]);
  await must("qemu-io", "-f", "raw", ...words, exported.uri);
  await exported.detach();
  assertEquals(Deno.readFileSync(image), bytes);
});
