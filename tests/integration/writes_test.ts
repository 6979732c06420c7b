// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { randomNumbers } from "../support/images.ts";
import { asRoot, ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, rootTest, TempDirectory } from "../support/tools.ts";
import { NbdClient, NbdFailure } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const ENOSPC = 28;

function rawImage(folder: TempDirectory, content: Uint8Array): string {
  const path = folder.file("disk.raw");
  Deno.writeFileSync(path, content);
  return path;
}

oracleTest(
  "fio verifies what it writes to a RAW image",
  ["fio", "qemu-img", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const image = rawImage(folder, new Uint8Array(16 * MIB));
    await using exported = await ExportedImage.attach({ folder, image });
    const job = ["--name=verify", "--ioengine=nbd", `--uri=${exported.uri}`, "--size=16M"];
    const how = ["--rw=randwrite", "--bs=4k", "--iodepth=16", "--fsync=64", "--randseed=1"];
    const verify = ["--verify=crc32c", "--do_verify=1", "--verify_fatal=1"];
    const output = folder.file("report");
    const files = [`--output=${output}`, "--output-format=json", "--verify_state_save=0"];
    await mustSoon("fio", ...job, ...how, ...verify, ...files);
    const report = Deno.readTextFileSync(output);
    const [{ error, write, read }] = JSON.parse(report.slice(report.indexOf("{\n"))).jobs;
    assertEquals([error, write.total_ios, read.total_ios], [0, 4096, 4096]);
    const copy = folder.file("copy");
    await mustSoon("nbdcopy", exported.uri, copy);
    await exported.detach();
    await mustSoon("qemu-img", "compare", "-f", "raw", "-F", "raw", image, copy);
    assert(Deno.readFileSync(image).some((byte) => byte !== 0));
  },
);

oracleTest("qemu-io writes, zeroes, discards and flushes a RAW image", ["qemu-io"], async () => {
  using folder = new TempDirectory();
  const model = seededBytes(MIB, 1);
  const image = rawImage(folder, model);
  await using exported = await ExportedImage.attach({ folder, image });
  const commands = [
    "write -P 90 1000 70000",
    "write -f -P 91 500k 4k",
    "write -z 8k 16k",
    "write -z -u 200k 100k",
    "discard 600k 64k",
    "flush",
    "read -P 90 1000 7192",
    "read -P 0 8k 16k",
    "read -P 0 200k 100k",
  ];
  const args = commands.flatMap((command) => ["-c", command]);
  const output = await mustSoon("qemu-io", "-f", "raw", ...args, exported.uri);
  for (const bad of ["failed", "rror"]) assert(!output.includes(bad), output);
  await exported.detach();
  model.fill(90, 1000, 71_000);
  model.fill(91, 500 * 1024, 504 * 1024);
  model.fill(0, 8 * 1024, 24 * 1024);
  model.fill(0, 200 * 1024, 300 * 1024);
  const now = Deno.readFileSync(image);
  const discarded = [600 * 1024, 664 * 1024] as const;
  // A discarded range may read as zeros or as before.
  model.set(now.subarray(...discarded), discarded[0]);
  assert(sameBytes(now, model));
});

oracleTest("tslosetup frees the space of what is discarded", ["qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder, seededBytes(4 * MIB, 1));
  await using exported = await ExportedImage.attach({ folder, image });
  const before = Deno.statSync(image).blocks ?? 0;
  await mustSoon("qemu-io", "-d", "unmap", "-f", "raw", "-c", "discard 1M 2M", exported.uri);
  const after = Deno.statSync(image).blocks ?? 0;
  assertEquals((before - after) * 512, 2 * MIB);
});

oracleTest(
  "tslosetup --offset lets nothing be written outside its window",
  ["qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const model = seededBytes(MIB, 1);
    const image = rawImage(folder, model);
    const options = ["-o", "4097", "--sizelimit", "10000"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    {
      using client = await NbdClient.connect(exported.socket);
      await client.write(0, new Uint8Array(10_000).fill(1));
      const failure = await client.write(9999, new Uint8Array(2)).catch((error) => error);
      assertInstanceOf(failure, NbdFailure);
    }
    await exported.detach();
    model.fill(1, 4097, 14_097);
    assert(sameBytes(Deno.readFileSync(image), model));
  },
);

Deno.test("tslosetup --socket lets several clients write at once", async () => {
  using folder = new TempDirectory();
  const clients = 6;
  const part = 256 * 1024;
  const model = seededBytes(clients * part, 1);
  const image = rawImage(folder, model);
  await using exported = await ExportedImage.attach({ folder, image });
  const writer = async (number: number): Promise<void> => {
    using client = await NbdClient.connect(exported.socket);
    const random = randomNumbers(number);
    for (let n = 0; n < 60; n++) {
      const offset = number * part + Math.floor(random() * (part - 9000));
      const payload = seededBytes(1 + Math.floor(random() * 9000), n);
      await client.write(offset, payload);
      model.set(payload, offset);
      if (n % 20 === 0) await client.flush();
      const end = offset + payload.length;
      assert(sameBytes(await client.read(offset, payload.length), model.subarray(offset, end)));
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => writer(number)));
  // What one connection has written, another one reads.
  using reader = await NbdClient.connect(exported.socket);
  assert(sameBytes(await reader.read(0, model.length), model));
  reader.close();
  await exported.detach();
  assert(sameBytes(Deno.readFileSync(image), model));
});

rootTest("tslosetup survives a full disk under a RAW image", ["mount", "umount"], async () => {
  using folder = new TempDirectory();
  const small = folder.file("small");
  Deno.mkdirSync(small);
  await must("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", small);
  try {
    const image = `${small}/disk`;
    Deno.writeFileSync(image, seededBytes(64 * 1024, 1));
    Deno.truncateSync(image, 8 * MIB);
    await using exported = await ExportedImage.attach({ folder, image });
    using client = await NbdClient.connect(exported.socket);
    await client.write(4096, new Uint8Array(4096).fill(7));
    const failure = await client.write(MIB, new Uint8Array(4 * MIB).fill(8)).catch((e) => e);
    assertInstanceOf(failure, NbdFailure);
    assertEquals(failure.number, ENOSPC);
    assertEquals(await client.read(4096, 4096), new Uint8Array(4096).fill(7));
    assertEquals(await client.read(7 * MIB, 16), new Uint8Array(16));
    assert(exported.isRunning);
    client.close();
    await exported.detach();
  } finally {
    await must("umount", small);
  }
});

Deno.test("a write that passes the user's limit on files fails, and the daemon serves on", async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder, new Uint8Array(MIB));
  const program = asRoot();
  const socket = folder.file("socket");
  const limited = ["-c", 'ulimit -f 128; exec "$@"', "sh", ...program.command];
  await must("sh", ...limited, "--socket", socket, image);
  try {
    using client = await NbdClient.connect(socket);
    const failure = await client.write(MIB / 2, new Uint8Array(512)).catch((error) => error);
    assertInstanceOf(failure, NbdFailure);
    await client.write(0, new Uint8Array(512).fill(9));
    assertEquals(await client.read(0, 512), new Uint8Array(512).fill(9));
  } finally {
    await program.must("-d", socket);
  }
});

oracleTest("tslosetup refuses to write to a read-only export", ["qemu-io"], async () => {
  using folder = new TempDirectory();
  const model = seededBytes(MIB, 1);
  const image = rawImage(folder, model);
  await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
  using client = await NbdClient.connect(exported.socket);
  const failure = await client.write(0, new Uint8Array(512)).catch((error) => error);
  assertInstanceOf(failure, NbdFailure);
  assertStringIncludes(failure.message, "NBD error 1");
  assert(sameBytes(await client.read(0, MIB), model));
  client.close();
  await exported.detach();
  assert(sameBytes(Deno.readFileSync(image), model));
});

/** Has a RAW image attached with `options`, and `commands` of qemu-io; the space it takes before and after. */
async function spaceAround(
  options: readonly string[],
  commands: readonly string[],
): Promise<[number, number]> {
  using folder = new TempDirectory();
  const image = rawImage(folder, seededBytes(MIB, 1));
  const space = (): number => Deno.statSync(image).blocks ?? 0;
  await must("sync", image);
  const before = space();
  await using exported = await ExportedImage.attach({ folder, image, options });
  const args = commands.flatMap((command) => ["-c", command]);
  await mustSoon("qemu-io", "-d", "unmap", "-f", "raw", ...args, exported.uri);
  await exported.detach();
  await must("sync", image);
  return [before, space()];
}

oracleTest(
  "--discard and --detect-zeroes say what space a RAW image keeps",
  ["qemu-io"],
  async () => {
    const frees = async (options: string, commands: readonly string[]): Promise<boolean> => {
      const [before, after] = await spaceAround(options.split(" "), commands);
      return after < before;
    };
    const discard = ["discard 0 512k"];
    const zeros = ["write -P 0 0 512k", "read -P 0 0 512k"];
    assertEquals(await frees("--discard unmap", discard), true);
    assertEquals(await frees("--discard ignore", discard), false);
    assertEquals(
      await frees("--discard ignore", ["write -z -u 0 512k", "read -P 0 0 512k"]),
      false,
    );
    assertEquals(await frees("--detect-zeroes off", zeros), false);
    assertEquals(await frees("--detect-zeroes on", zeros), false);
    assertEquals(await frees("--detect-zeroes unmap", zeros), true);
  },
);
