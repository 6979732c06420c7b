/**
 * Daemons that cannot have what they could do without: threads, descriptors, memory.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertInstanceOf } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { logTest } from "../support/log_socket.ts";
import { becomesIdle } from "../support/patience.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { missingForThreadLimits, ThreadLimit } from "../support/thread_limit.ts";
import { must, oracleTest, TempDirectory, testIfPossible } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const CLUSTER = 65536;
const CLUSTERS = 256;

interface Compressed {
  readonly image: string;
  readonly content: Uint8Array;
}

/** An image that gives further threads much to decompress. */
async function compressedImage(folder: TempDirectory): Promise<Compressed> {
  const raw = folder.file("disk.raw");
  const image = folder.file("disk.qcow2");
  const content = seededBytes(CLUSTERS * CLUSTER, 1).map((byte) => byte & 15);
  Deno.writeFileSync(raw, content);
  await mustSoon("qemu-img", "convert", "-c", "-O", "qcow2", raw, image);
  return { image, content };
}

/** Reads all of the disk by many requests at once, and compares. */
async function readAll({ socket }: ExportedImage, { content }: Compressed): Promise<void> {
  using client = await NbdClient.connect(socket);
  const offsets = Array.from({ length: CLUSTERS }, (_, n) => n * CLUSTER);
  const read = await client.readMany(offsets, CLUSTER);
  for (const [n, offset] of offsets.entries()) {
    assert(sameBytes(read[n] ?? new Uint8Array(), content.subarray(offset, offset + CLUSTER)));
  }
}

/** What clients may expect of a daemon however little it has. */
async function servesClients(exported: ExportedImage, image: Compressed): Promise<void> {
  using first = await NbdClient.connect(exported.socket);
  await first.read(0, 512);
  await readAll(exported, image);
  assertEquals((await first.read(512, 512)).length, 512);
  assert(exported.isRunning);
}

const noLimits = missingForThreadLimits();

testIfPossible({
  name: "a daemon that can start no thread serves all clients itself",
  obstacle: noLimits,
  fn: async () => {
    using folder = new TempDirectory();
    const image = await compressedImage(folder);
    const options = ["-r", "-t", "QCOW", "--threads", "4"];
    await using exported = await ExportedImage.attach({ folder, image: image.image, options });
    await using _limit = new ThreadLimit(exported.pid);
    await servesClients(exported, image);
  },
});

testIfPossible({
  name: "a daemon that can start no thread flushes and reads from disk",
  obstacle: noLimits,
  fn: async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    await using exported = await ExportedImage.attach({ folder, image });
    await using _limit = new ThreadLimit(exported.pid);
    using client = await NbdClient.connect(exported.socket);
    for (let n = 0; n < 3; n++) {
      await client.write(n * 512, new Uint8Array(512).fill(n));
      await client.flush();
    }
    await must("dd", `if=${image}`, "iflag=nocache", "count=0", "status=none");
    const blocks = await client.readMany([0, 512, 1024], 512);
    assertEquals(blocks, [0, 1, 2].map((n) => new Uint8Array(512).fill(n)));
  },
});

oracleTest("a daemon short of addresses starts no thread", ["prlimit", "qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await compressedImage(folder);
  const options = ["-r", "-t", "QCOW", "--threads", "4"];
  await using exported = await ExportedImage.attach({ folder, image: image.image, options });
  const { pid } = exported;
  const size = /VmSize:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  // Enough for buffers, not for the heap of a thread.
  await must("prlimit", `--as=${Number(size) * 1024 + 500 * MIB}`, "--pid", `${pid}`);
  await servesClients(exported, image);
});

logTest(
  "clients are refused for want of descriptors, and served again when there are some",
  ["prlimit"],
  async (log) => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, seededBytes(MIB, 1));
    await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
    const used = Math.max(
      ...[...Deno.readDirSync(`/proc/${exported.pid}/fd`)].map(({ name }) => Number(name)),
    );
    await must("prlimit", `--nofile=${used + 6}`, "--pid", `${exported.pid}`);
    using clients = new DisposableStack();
    const served: NbdClient[] = [];
    for (;;) {
      const client = await NbdClient.connect(exported.socket).catch((error) => error);
      if (client instanceof Error) break;
      served.push(clients.use(client));
    }
    assertGreater(served.length, 2);
    for (const client of served) assertEquals((await client.read(0, 512)).length, 512);
    await becomesIdle(exported.pid);
    const lines = log.lines();
    assert(lines.some((line) => line.endsWith("a client was refused: Too many open files")));
    served.pop()?.close();
    await served[0]?.read(0, 512);
    using again = await NbdClient.connect(exported.socket);
    assertEquals((await again.read(0, 512)).length, 512);
  },
);

logTest("client number 513 is refused, and why is logged", [], async (log) => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, seededBytes(MIB, 1));
  await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
  using clients = new DisposableStack();
  const served: NbdClient[] = [];
  for (let n = 0; n < 512; n++) {
    served.push(clients.use(await NbdClient.connect(exported.socket)));
  }
  assertInstanceOf(await NbdClient.connect(exported.socket).catch((error) => error), Error);
  const [line = ""] = log.lines();
  assert(line.endsWith(`${image}: a client was refused: 512 are connected already`), line);
  for (const n of [0, 1, 511]) assertEquals((await served[n]?.read(0, 512))?.length, 512);
});
