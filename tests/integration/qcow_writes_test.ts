/**
 * QCOW images that are written to while they are served.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { stampedBytes } from "../format/qcow/write/random_ops.ts";
import { sameBytes } from "../format/opened_image.ts";
import { randomNumbers } from "../support/images.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const OPTIONS = ["-t", "QCOW"];

async function createImage(folder: TempDirectory, ...options: string[]): Promise<string> {
  const image = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, image, `${64 * MIB}`);
  return image;
}

for (const backing of [false, true]) {
  const over = backing ? "over a backing file" : "by itself";
  oracleTest(
    `fio verifies what it writes to a QCOW image ${over}, and qemu-img finds no fault`,
    ["fio", "qemu-img", "nbdcopy"],
    async () => {
      using folder = new TempDirectory();
      const base = folder.file("base");
      Deno.writeFileSync(base, new Uint8Array(64 * MIB).fill(85));
      const options = backing ? ["-b", base, "-F", "raw"] : [];
      const image = await createImage(folder, ...options);
      await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
      const job = ["--name=verify", "--ioengine=nbd", `--uri=${exported.uri}`, "--size=64M"];
      const how = ["--rw=randwrite", "--bs=4k", "--iodepth=16", "--fsync=64", "--randseed=1"];
      const verify = ["--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--io_size=16M"];
      const output = ["--output=/dev/null", "--verify_state_save=0"];
      await mustSoon("fio", ...job, ...how, ...verify, ...output);
      const copy = folder.file("copy");
      await mustSoon("nbdcopy", exported.uri, copy);
      await exported.detach();
      const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
      assertEquals(code, 0, stdout);
      await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, copy);
    },
  );
}

oracleTest(
  "what a daemon has answered outlives it, where nothing had to be copied",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const image = await createImage(folder);
    const written = new Map<number, Uint8Array>();
    {
      await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
      using client = await NbdClient.connect(exported.socket);
      const random = randomNumbers(3);
      // Fewer clusters than are kept in reserve.
      for (let id = 1; id <= 100; id++) {
        const offset = Math.floor(random() * 16 * KIB) * 4 * KIB;
        const bytes = stampedBytes(offset, 4 * KIB, id);
        await client.write(offset, bytes);
        written.set(offset, bytes);
      }
      Deno.kill(exported.pid, "SIGKILL");
      await client.ended();
    }
    // 3: clusters that were kept in reserve count as used.
    const { code, stdout } = await run("qemu-img", "check", "-U", "-f", "qcow2", image);
    assert(code === 0 || code === 3, stdout);
    const raw = folder.file("raw");
    await mustSoon("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw);
    const found = Deno.readFileSync(raw);
    for (const [offset, bytes] of written) {
      assert(sameBytes(found.subarray(offset, offset + bytes.length), bytes), `at ${offset}`);
    }
  },
);

oracleTest("an image of version 1 is written to, and keeps what was answered", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const image = folder.file("image.qcow");
  await must("qemu-img", "create", "-q", "-f", "qcow", image, `${16 * MIB}`);
  const model = new Uint8Array(16 * MIB);
  const write = async (client: NbdClient, id: number): Promise<void> => {
    const offset = id * 150_000;
    const bytes = stampedBytes(offset, 10_000, id);
    await client.write(offset, bytes);
    model.set(bytes, offset);
  };
  {
    await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
    assertEquals(exported.attached.stderr, "");
    using client = await NbdClient.connect(exported.socket);
    for (let id = 1; id < 20; id++) await write(client, id);
    Deno.kill(exported.pid, "SIGKILL");
    await client.ended();
  }
  await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
  using client = await NbdClient.connect(exported.socket);
  for (let id = 20; id < 40; id++) await write(client, id);
  assert(sameBytes(await client.read(0, model.length), model));
  await exported.detach();
  await mustSoon("qemu-img", "convert", "-f", "qcow", "-O", "raw", image, folder.file("raw"));
  assert(sameBytes(Deno.readFileSync(folder.file("raw")), model));
});

oracleTest(
  "a snapshot, and an image without its backing file, are not written to",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const image = await createImage(folder);
    await must("qemu-img", "snapshot", "-q", "-c", "before", image);
    for (const more of [["--snapshot", "before"], ["--no-backing"]]) {
      const options = [...OPTIONS, ...more];
      await using exported = await ExportedImage.attach({ folder, image, options });
      assert(exported.attached.stderr.includes("the device is read-only"));
      await exported.detach();
    }
  },
);

oracleTest("bitmaps are valid after a detach, and in use after a kill", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await must("qemu-img", "bitmap", "--add", image, "backup");
  const flags = async (): Promise<string[]> => {
    const { stdout } = await run("qemu-img", "info", "-U", "--output=json", image);
    return JSON.parse(stdout)["format-specific"].data.bitmaps[0].flags;
  };
  for (const isKilled of [false, true]) {
    await using exported = await ExportedImage.attach({ folder, image, options: OPTIONS });
    using client = await NbdClient.connect(exported.socket);
    assertEquals(await flags(), ["auto"]);
    await client.write(10 * MIB, new Uint8Array(4096).fill(5));
    assertEquals(await flags(), ["in-use", "auto"]);
    if (isKilled) Deno.kill(exported.pid, "SIGKILL");
    else await exported.detach();
    if (isKilled) await client.ended();
    assertEquals(await flags(), isKilled ? ["in-use", "auto"] : ["auto"]);
  }
});
