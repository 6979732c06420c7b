/**
 * Snapshots of images that are attached to a socket, while clients write.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeAndVerify } from "../support/fio.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { sameBytes } from "../format/opened_image.ts";
import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const program = asRoot();

async function createImage(folder: TempDirectory, ...options: string[]): Promise<string> {
  const image = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, image, "64M");
  return image;
}

async function namesIn(image: string): Promise<string[]> {
  const info = JSON.parse(await must("qemu-img", "info", "-U", "--output=json", image));
  return (info.snapshots ?? []).map(({ name }: { readonly name: string }) => name);
}

async function refused(words: readonly string[], pattern: RegExp): Promise<void> {
  const { code, stderr } = await program.run(...words);
  assertEquals(code, 1);
  assertMatch(stderr, pattern);
  assertEquals(stderr.trim().split("\n").length, 1, stderr);
}

oracleTest("snapshots come and go while a disk is written to and verified", [
  "qemu-img",
  "fio",
], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder, "-o", "cluster_size=4096");
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  const running = writeAndVerify(exported.uri);
  for (let n = 1; n <= 6; n++) {
    await program.must("--snapshot-create", `n${n}`, exported.socket);
    if (n % 2 === 0) await program.must("--snapshot-delete", `n${n - 1}`, exported.socket);
  }
  assertEquals(await namesIn(image), ["n2", "n4", "n6"]);
  await running;
  await exported.detach();
  assertEquals(await namesIn(image), ["n2", "n4", "n6"]);
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
});

oracleTest("a snapshot of an image in use has what was answered before", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  using client = await NbdClient.connect(exported.socket);
  const had: Uint8Array[] = [];
  for (let n = 1; n <= 3; n++) {
    // Over what is there, over the end of it, and elsewhere.
    for (const offset of [0, n * 100_000, n * 8 * MIB]) {
      await client.write(offset - offset % 512, new Uint8Array(150 * 1024).fill(n));
    }
    had.push(await client.read(0, 32 * MIB));
    await program.must("--snapshot-create", `n${n}`, exported.socket);
  }
  await client.write(0, new Uint8Array(MIB).fill(9));
  assert(sameBytes(await client.read(0, MIB), new Uint8Array(MIB).fill(9)));
  client.close();
  await exported.detach();
  const raw = folder.file("raw");
  for (const [index, bytes] of had.entries()) {
    const which = ["-l", `snapshot.name=n${index + 1}`];
    await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", ...which, image, raw);
    assert(sameBytes(Deno.readFileSync(raw).subarray(0, 32 * MIB), bytes), `n${index + 1}`);
  }
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
});

oracleTest("what is attached has no snapshot that it cannot have", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  const raw = folder.file("raw");
  Deno.writeFileSync(raw, new Uint8Array(MIB));
  await program.must("--snapshot-create", "x", image);
  const attached = async (
    options: readonly string[],
    file: string,
    body: (socket: string) => Promise<void>,
  ): Promise<void> => {
    await using exported = await ExportedImage.attach({ folder, image: file, options });
    await body(exported.socket);
    await exported.detach();
  };
  await attached(["-t", "QCOW"], image, async (socket) => {
    await refused(
      ["--snapshot-apply", "x", socket],
      /it is in use: detach it first.*image\.qcow2\)$/m,
    );
    await refused(
      ["--snapshot-delete", "y", socket],
      /there is no snapshot 'y'; the image has 1 \(x\)/,
    );
    await refused(["--snapshot-create", "", socket], /a snapshot has to have a name$/m);
    await refused(["--snapshot-create", "y", image], /the image is in use by tslosetup/);
    await program.must("--snapshot-delete", "1", socket);
  });
  const action = ["--snapshot-create", "y"];
  await attached(["-r", "-t", "QCOW"], image, async (socket) => {
    await refused([...action, socket], /the device is read-only$/m);
  });
  await attached(["--overlay", "-t", "QCOW"], image, async (socket) => {
    await refused(
      [...action, socket],
      /its image is only read: what is written goes to an overlay$/m,
    );
  });
  await attached([], raw, async (socket) => {
    await refused([...action, socket], /images of this format have no internal snapshots$/m);
  });
  await attached([`--overlay=${folder.file("mine.qcow2")}`], raw, async (socket) => {
    await program.must(...action, socket);
  });
  assertEquals(await namesIn(folder.file("mine.qcow2")), ["y"]);
  assertEquals(await namesIn(image), []);
});
