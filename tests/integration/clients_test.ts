// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess } from "@std/assert";
import { Command } from "../../src/nbd/protocol.ts";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { joined } from "../../src/sys/joined.ts";
import { encodeRequest } from "../nbd/wire.ts";
import { ExportedImage } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;

async function attach(folder: TempDirectory, content: Uint8Array): Promise<ExportedImage> {
  const image = folder.file("disk.raw");
  Deno.writeFileSync(image, content);
  return await ExportedImage.attach({ folder, image });
}

Deno.test("a client that hangs up and comes again needs no second thread", async () => {
  using folder = new TempDirectory();
  await using exported = await attach(folder, seededBytes(MIB, 1));
  for (let time = 0; time < 20; time++) {
    (await NbdClient.connect(exported.socket))[Symbol.dispose]();
    using again = await NbdClient.connect(exported.socket);
    assertEquals((await again.read(0, 512)).length, 512);
    assertEquals(threadsBeside(exported.pid), []);
  }
});

/** Names of the threads that a daemon has started. */
function threadsBeside(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)]
    .map(({ name }) => Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`).trim())
    .filter((name) => name.startsWith("worker-"));
}

/** Resident memory of a process, in bytes. */
function residentBytes(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(match?.[1]) * 1024;
}

Deno.test("a client that does not read costs little, hinders nobody, and is served in the end", async () => {
  using folder = new TempDirectory();
  const content = seededBytes(4 * MIB, 1);
  await using exported = await attach(folder, content);
  using other = await NbdClient.connect(exported.socket);
  assert(sameBytes(await other.read(0, MIB), content.subarray(0, MIB)));
  const before = residentBytes(exported.pid);
  using greedy = await NbdClient.connect(exported.socket);
  const count = 200;
  const requests = Array.from(
    { length: count },
    (_, n) =>
      encodeRequest({
        command: Command.Read,
        cookie: BigInt(n),
        offset: (n % 4) * MIB,
        length: MIB,
      }),
  );
  await greedy.sendRaw(joined(requests));
  for (let n = 0; n < 50; n++) {
    assert(sameBytes(await other.read(n * 512, 512), content.subarray(n * 512, n * 512 + 512)));
  }
  assertLess(residentBytes(exported.pid) - before, 64 * MIB);
  for (let n = 0; n < count; n++) {
    await greedy.receiveRaw(16);
    const data = await greedy.receiveRaw(MIB);
    assert(sameBytes(data, content.subarray((n % 4) * MIB, (n % 4 + 1) * MIB)), `${n}`);
  }
});

Deno.test("a crowd of clients that ask for much and do not read, or send half, takes bounded memory", async () => {
  using folder = new TempDirectory();
  const content = seededBytes(16 * MIB, 1);
  await using exported = await attach(folder, content);
  using other = await NbdClient.connect(exported.socket);
  await other.read(0, 512);
  const before = residentBytes(exported.pid);
  using crowd = new DisposableStack();
  for (let n = 0; n < 120; n++) {
    const client = crowd.use(await NbdClient.connect(exported.socket));
    const isRead = n % 2 === 0;
    const command = isRead ? Command.Read : Command.Write;
    const length = isRead ? 8 * MIB : 32 * MIB;
    const request = encodeRequest({ command, cookie: BigInt(n), offset: 0, length });
    await client.sendRaw(joined(isRead ? [request] : [request, content.subarray(0, 100_000)]));
  }
  assert(sameBytes(await other.read(MIB, 65536), content.subarray(MIB, MIB + 65536)));
  assertLess(residentBytes(exported.pid) - before, 256 * MIB);
  crowd.dispose();
  assert(sameBytes(await other.read(0, 16 * MIB), content));
});

Deno.test("crowds that come and go one after the other take no more memory than one of them", async () => {
  using folder = new TempDirectory();
  await using exported = await attach(folder, seededBytes(MIB, 1));
  using other = await NbdClient.connect(exported.socket);
  await other.read(0, 512);
  const before = residentBytes(exported.pid);
  for (let round = 0; round < 5; round++) {
    using crowd = new DisposableStack();
    for (let n = 0; n < 100; n++) {
      const client = crowd.use(await NbdClient.connect(exported.socket));
      await client.read(n * 512, 512);
    }
    assertLess(residentBytes(exported.pid) - before, 128 * MIB);
  }
});

Deno.test("long writes and reads leave no memory behind", async () => {
  using folder = new TempDirectory();
  const content = seededBytes(32 * MIB, 1);
  await using exported = await attach(folder, content);
  using client = await NbdClient.connect(exported.socket);
  await client.read(0, 512);
  const before = residentBytes(exported.pid);
  for (let round = 0; round < 10; round++) {
    const length = (round + 5) * 2 * MIB;
    await client.write(0, content.subarray(0, length));
    assert(sameBytes(await client.read(0, length), content.subarray(0, length)));
    assertLess(residentBytes(exported.pid) - before, 64 * MIB);
  }
});

Deno.test("a client that talks nonsense is hung up on, and hinders nobody", async () => {
  using folder = new TempDirectory();
  await using exported = await attach(folder, seededBytes(MIB, 1));
  using other = await NbdClient.connect(exported.socket);
  for (let n = 0; n < 20; n++) {
    using shaken = await NbdClient.connect(exported.socket);
    await shaken.sendRaw(seededBytes(100, n));
    await shaken.ended();
    using raw = await NbdClient.open(exported.socket);
    await raw.sendRaw(new Uint8Array(100).fill(0xff));
    await raw.ended();
  }
  assertEquals((await other.read(0, 512)).length, 512);
  assert(exported.isRunning);
});

Deno.test("many clients are served at once, and those that say nothing do not hold -d up", async () => {
  using folder = new TempDirectory();
  const content = seededBytes(MIB, 1);
  await using exported = await attach(folder, content);
  using silent = await NbdClient.open(exported.socket);
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => NbdClient.connect(exported.socket)),
  );
  await Promise.all(clients.map(async (client, n) => {
    for (let round = 0; round < 5; round++) {
      const at = (n * 5 + round) * 4096;
      assert(sameBytes(await client.read(at, 4096), content.subarray(at, at + 4096)));
    }
  }));
  await exported.detach();
  assert(exported.isGone);
  for (const client of [silent, ...clients]) client.close();
});
