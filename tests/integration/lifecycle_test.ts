// @ts-types="../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { becomesIdle, eventually } from "../support/patience.ts";
import { asRoot, exists, ExportedImage, isRunning, statesIn } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const SIZE = 256 * 1024;

function rawImage(folder: TempDirectory): { image: string; content: Uint8Array } {
  const image = folder.file("disk.raw");
  const content = seededBytes(SIZE, 1);
  Deno.writeFileSync(image, content);
  return { image, content };
}

async function readAll(exported: ExportedImage): Promise<Uint8Array> {
  using client = await NbdClient.connect(exported.socket);
  return await client.read(0, SIZE);
}

Deno.test("tslosetup --show prints the URI of the socket", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  const name = "a socket & more?";
  await using exported = await ExportedImage.attach({ folder, image, name });
  const path = `${folder.path}/${encodeURIComponent(name)}`;
  assertEquals(exported.uri, `nbd+unix:///?socket=${path}`);
  assertEquals((Deno.statSync(exported.socket).mode ?? 0) & 0o777, 0o600);
  assertStringIncludes(await exported.program.must("-l", exported.uri), exported.socket);
  await exported.program.must("-d", exported.uri);
  assert(exported.isGone);
});

Deno.test("tslosetup --list shows what is attached", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  const options = ["-o", "512", "--sizelimit", "4096"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const lines = (await exported.program.must("-l", "--raw")).split("\n");
  const [heading, ...rows] = lines.map((line) => line.trim().split(/\s+/));
  assertEquals(
    heading?.join(" "),
    "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE PID TRANSPORT REVIVED",
  );
  const row = rows.find(([name]) => name === exported.socket)?.join(" ");
  assertEquals(
    row,
    `${exported.socket} 4096 512 0 0 ${image} RAW 0 - 4096 ${exported.pid} socket 0`,
  );
  const filtered = await exported.program.must("-j", image);
  assertStringIncludes(filtered, exported.socket);
  assert(!(await exported.program.must("-j", "/dev/null")).includes(exported.socket));
});

Deno.test("tslosetup --detach takes everything down, and says so the second time", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  await using exported = await ExportedImage.attach({ folder, image });
  await exported.detach();
  assert(exported.isGone);
  const { code, stderr } = await exported.program.run("-d", exported.socket);
  assertEquals(code, 1);
  assertEquals(stderr.split("\n").length, 2);
  assertStringIncludes(stderr, `tslosetup: ${exported.socket}: `);
});

Deno.test("tslosetup --detach takes the socket that is there, not one that was removed", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  const options = ["-r"];
  await using lost = await ExportedImage.attach({ folder, image, options });
  Deno.removeSync(lost.socket);
  await using found = await ExportedImage.attach({ folder, image, options });
  const pid = statesIn(found.program.stateDirectory)
    .find((state) => state.device === found.socket && state.pid !== lost.pid)?.pid ?? -1;
  await found.detach();
  await eventually(() => !isRunning(pid), "its daemon to end");
  assert(!exists(found.socket));
  assert(isRunning(lost.pid));
  await lost.detach();
  await lost.ended();
});

Deno.test("tslosetup --detach ends the connections of clients that have nothing left to ask", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  await using exported = await ExportedImage.attach({ folder, image });
  using client = await NbdClient.connect(exported.socket);
  await client.write(0, new Uint8Array(512).fill(9));
  await exported.detach();
  assert(exported.isGone);
  await assertRejects(() => client.read(0, 512));
  assertEquals(Deno.readFileSync(image)[0], 9);
});

Deno.test("tslosetup detaches more than one socket, and goes on after a failure", async () => {
  using folder = new TempDirectory();
  const { image } = rawImage(folder);
  const options = ["-r"];
  await using one = await ExportedImage.attach({ folder, image, options, name: "one" });
  await using two = await ExportedImage.attach({ folder, image, options, name: "two" });
  const missing = folder.file("missing");
  const { code, stderr } = await one.program.run("-d", one.socket, missing, two.socket);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `${missing}: failed to use device`);
  assertEquals([one.isGone, two.isGone], [true, true]);
});

for (const [cleaner, argument] of [["--list", "-l"], ["--detach", "-d"], ["a new attach", ""]]) {
  Deno.test(`tslosetup ${cleaner} clears away after a daemon that was killed`, async () => {
    using folder = new TempDirectory();
    const { image, content } = rawImage(folder);
    await using killed = await ExportedImage.attach({ folder, image });
    using client = await NbdClient.connect(killed.socket);
    await client.read(0, 512);
    Deno.kill(killed.pid, "SIGKILL");
    await assertRejects(() => client.read(0, 512));
    await killed.ended();
    assert(exists(killed.socket));
    if (argument === "-l") assert(!(await killed.program.must("-l")).includes(killed.socket));
    if (argument === "-d") await killed.program.must("-d", killed.socket);
    if (argument !== "") assert(killed.isGone);
    await using next = await ExportedImage.attach({ folder, image });
    assertEquals(next.socket, killed.socket);
    assertNotEquals(next.pid, killed.pid);
    assert(sameBytes(await readAll(next), content));
  });
}

Deno.test("SIGTERM lets a client of the daemon go on to its end", async () => {
  using folder = new TempDirectory();
  const { image, content } = rawImage(folder);
  await using exported = await ExportedImage.attach({ folder, image });
  using client = await NbdClient.connect(exported.socket);
  Deno.kill(exported.pid, "SIGTERM");
  await eventually(() => !exists(exported.socket), "the socket to go");
  await client.write(512, new Uint8Array(512).fill(3));
  await client.flush();
  content.fill(3, 512, 1024);
  assert(sameBytes(await client.read(0, SIZE), content));
  assert(exported.isRunning);
  client.close();
  await exported.ended();
  assert(exported.isGone);
  assert(sameBytes(Deno.readFileSync(image), content));
});

Deno.test("SIGTERM ends a daemon without clients", async () => {
  using folder = new TempDirectory();
  await using exported = await ExportedImage.attach({ folder, image: rawImage(folder).image });
  Deno.kill(exported.pid, "SIGTERM");
  await exported.ended();
  assert(exported.isGone);
});

Deno.test("SIGHUP does not end a daemon", async () => {
  using folder = new TempDirectory();
  const { image, content } = rawImage(folder);
  await using exported = await ExportedImage.attach({ folder, image });
  Deno.kill(exported.pid, "SIGHUP");
  assert(sameBytes(await readAll(exported), content));
});

Deno.test("the daemon has left its caller's surroundings", async () => {
  using folder = new TempDirectory();
  await using exported = await ExportedImage.attach({ folder, image: rawImage(folder).image });
  const process = `/proc/${exported.pid}`;
  // It is elsewhere only for the moments in which it writes its state.
  await eventually(() => Deno.readLinkSync(`${process}/cwd`) === "/", "the daemon to be in /");
  for (const fd of [1, 2]) assertEquals(Deno.readLinkSync(`${process}/fd/${fd}`), "/dev/null");
  const stat = Deno.readTextFileSync(`${process}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const session = Number(fields[3]);
  const terminal = Number(fields[4]);
  assertEquals([session, terminal], [exported.pid, 0]);
});

Deno.test("an idle daemon uses no processor time", async () => {
  using folder = new TempDirectory();
  await using exported = await ExportedImage.attach({ folder, image: rawImage(folder).image });
  using client = await NbdClient.connect(exported.socket);
  for (let n = 0; n < 200; n++) await client.read(0, 512);
  await becomesIdle(exported.pid);
});

Deno.test("tslosetup attaches and detaches 20 times in a row", async () => {
  using folder = new TempDirectory();
  const { image, content } = rawImage(folder);
  const program = asRoot();
  for (let cycle = 0; cycle < 20; cycle++) {
    await using exported = await ExportedImage.attach({ folder, image, as: program });
    assert(sameBytes(await readAll(exported), content));
    await exported.detach();
    assert(exported.isGone, `cycle ${cycle}`);
  }
  assertEquals(program.processes(), []);
});

Deno.test("tslosetup attaches 10 images at once", async () => {
  using folder = new TempDirectory();
  const program = asRoot();
  const serve = async (number: number): Promise<ExportedImage> => {
    const image = folder.file(`disk${number}`);
    Deno.writeFileSync(image, seededBytes(SIZE, number));
    return await ExportedImage.attach({ folder, image, as: program, name: `socket${number}` });
  };
  await using stack = new AsyncDisposableStack();
  const all = await Promise.all(Array.from({ length: 10 }, (_, number) => serve(number)));
  for (const exported of all) stack.use(exported);
  assertEquals(new Set(all.map(({ pid }) => pid)).size, 10);
  for (const [number, exported] of all.entries()) {
    assert(sameBytes(await readAll(exported), seededBytes(SIZE, number)));
  }
  await Promise.all(all.map((exported) => exported.detach()));
  assert(all.every((exported) => exported.isGone));
  assertEquals(program.processes(), []);
  const left = statesIn(program.stateDirectory).filter((s) => s.device.startsWith(folder.path));
  assertEquals(left, []);
});
