/**
 * Overlays: disks that are written to while their images stay as they are.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertRejects } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { type Op, Random, randomOp, stampedBytes } from "../format/qcow/write/random_ops.ts";
import { makeChain } from "../support/chains.ts";
import { keyFileOf, makeVolume } from "../support/encrypted.ts";
import { asRoot, ExportedImage, Nobody } from "../support/program.ts";
import { must, oracleTest, rootTest, TempDirectory } from "../support/tools.ts";
import { NbdClient, NbdFailure } from "./nbd_client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SIZE = 4 * MIB;
/** What an overlay says one thing of. */
const UNIT = 4 * KIB;
const NBD_ENOSPC = 28;

/** An image, how it is attached, and what its disk is. */
interface Base {
  readonly image: string;
  readonly options: readonly string[];
  readonly disk: Uint8Array;
}

/** What changes would show in. */
function traceOf(image: string): string {
  const { mtime, size } = Deno.statSync(image);
  const digest = new Deno.Command("sha256sum", { args: [image] }).outputSync().stdout;
  return `${new TextDecoder().decode(digest)} ${mtime?.getTime()} ${size}`;
}

function rawBase(folder: TempDirectory): Base {
  const image = folder.file("raw");
  const disk = stampedBytes(0, SIZE, 0);
  Deno.writeFileSync(image, disk);
  return { image, options: ["-t", "RAW"], disk };
}

/** What qemu-img makes of a raw disk; `-t` is behind its options. */
async function convertedBase(
  folder: TempDirectory,
  format: string,
  ...how: string[]
): Promise<Base> {
  const { image: raw, disk } = rawBase(folder);
  const image = folder.file("converted");
  await must("qemu-img", "convert", "-q", "-f", "raw", "-O", format, ...how, raw, image);
  return { image, options: ["-t", "QCOW"], disk };
}

/** Makes 200 random changes of both. */
async function changeBoth(client: NbdClient, disk: Uint8Array, random: Random): Promise<void> {
  const limits = { sizeBytes: disk.length, mostBytes: 200 * KIB, unitBytes: UNIT };
  for (let id = 1; id <= 200; id++) {
    const op = wholeUnits(randomOp(random, limits, id));
    await client.change(op);
    apply(op, disk);
  }
}

/** What is discarded of a part of a unit may stay as it is. */
function wholeUnits(op: Op): Op {
  if (op.kind !== "discard") return op;
  const offset = op.offset - op.offset % UNIT;
  return { ...op, offset, length: Math.ceil(op.length / UNIT) * UNIT };
}

function apply(op: Op, disk: Uint8Array): void {
  if (op.kind === "write") disk.set(op.bytes, op.offset);
  else if (op.kind !== "flush") disk.fill(0, op.offset, op.offset + op.length);
}

/** Whether a client finds `disk`. */
async function shows(client: NbdClient, disk: Uint8Array): Promise<boolean> {
  for (let offset = 0; offset < disk.length; offset += MIB) {
    const part = disk.subarray(offset, Math.min(offset + MIB, disk.length));
    if (!sameBytes(await client.read(offset, part.length), part)) return false;
  }
  return true;
}

/** Changes a disk over a base, and looks at both. */
async function checkOverlay(folder: TempDirectory, base: Base, overlay: string[]): Promise<void> {
  const before = traceOf(base.image);
  const options = [...base.options, ...overlay];
  for (let times = 0; times < 2; times++) {
    const disk = base.disk.slice();
    await using exported = await ExportedImage.attach({ folder, image: base.image, options });
    using client = await NbdClient.connect(exported.socket);
    assert(await shows(client, disk), "the base, before anything was written");
    await changeBoth(client, disk, new Random(times));
    assert(await shows(client, disk), "what was written");
    await exported.detach();
    assert(exported.isGone);
  }
  assertEquals(traceOf(base.image), before);
}

const OVERLAYS = [["--overlay"], ["--overlay=ram"]];

for (const overlay of OVERLAYS) {
  const name = overlay.join(" ");
  Deno.test(`${name}: a RAW image is written over`, async () => {
    using folder = new TempDirectory();
    await checkOverlay(folder, rawBase(folder), overlay);
  });

  oracleTest(`${name}: so are QCOW images of all kinds`, ["qemu-img"], async () => {
    for (
      const how of [["qcow2"], ["qcow2", "-c"], ["qcow2", "-o", "cluster_size=2M"], ["qcow"]]
    ) {
      using folder = new TempDirectory();
      const [format = "", ...options] = how;
      await checkOverlay(folder, await convertedBase(folder, format, ...options), overlay);
    }
  });

  oracleTest(`${name}: chains, and snapshots`, ["qemu-img", "qemu-io"], async () => {
    using folder = new TempDirectory();
    const { path, rawPath } = await makeChain(folder.path, { seed: 5, depth: 3, snapshot: "then" });
    const options = ["-t", "QCOW", "--backing-fmt", "auto", "--allow-backing", folder.path];
    const disk = Deno.readFileSync(rawPath);
    await checkOverlay(folder, { image: path, options, disk }, overlay);
    const then = folder.file("then");
    await must("qemu-img", "convert", "-l", "snapshot.name=then", "-O", "raw", path, then);
    const past = { image: path, options: [...options, "--snapshot", "then"] };
    await checkOverlay(folder, { ...past, disk: Deno.readFileSync(then) }, overlay);
  });
}

oracleTest("--overlay: LUKS volumes", ["cryptsetup"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("volume");
  await makeVolume(image, { sizeBytes: SIZE });
  const options = ["-t", "LUKS", "--key-file", keyFileOf(image)];
  const plain = { folder, image, options: [...options, "-r"], name: "plain" };
  await using exported = await ExportedImage.attach(plain);
  using client = await NbdClient.connect(exported.socket);
  // What cryptsetup leaves behind the header is noise.
  const size = SIZE - 2 * MIB;
  const disk = new Uint8Array(size);
  for (let at = 0; at < size; at += MIB) disk.set(await client.read(at, MIB), at);
  await checkOverlay(folder, { image, options, disk }, ["--overlay"]);
});

Deno.test("an overlay covers the part that is shown", async () => {
  using folder = new TempDirectory();
  const { image, options, disk } = rawBase(folder);
  const [offset, length] = [MIB + 3 * UNIT, 2 * MIB + 512];
  const part = ["-o", `${offset}`, "--sizelimit", `${length}`];
  const shown = {
    image,
    options: [...options, ...part],
    disk: disk.slice(offset, offset + length),
  };
  await checkOverlay(folder, shown, ["--overlay"]);
});

Deno.test("a disk over a file that does not end with a sector has a whole one there", async () => {
  using folder = new TempDirectory();
  const image = folder.file("odd");
  const bytes = stampedBytes(0, 1000, 1);
  Deno.writeFileSync(image, bytes);
  const disk = new Uint8Array(1024);
  disk.set(bytes);
  await using exported = await ExportedImage.attach({ folder, image, options: ["--overlay"] });
  using client = await NbdClient.connect(exported.socket);
  assert(await shows(client, disk));
});

oracleTest("many overlays share a base, each with a disk of its own", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const base = await convertedBase(folder, "qcow2", "-c");
  await using stack = new AsyncDisposableStack();
  const clients: [NbdClient, Uint8Array][] = [];
  for (let n = 0; n < 8; n++) {
    const options = [...base.options, "--overlay=ram"];
    const attach = { folder, image: base.image, options, name: `socket${n}` };
    const exported = stack.use(await ExportedImage.attach(attach));
    clients.push([stack.use(await NbdClient.connect(exported.socket)), base.disk.slice()]);
  }
  await Promise.all(clients.map(([client, disk], n) => changeBoth(client, disk, new Random(n))));
  for (const [client, disk] of clients) assert(await shows(client, disk));
});

Deno.test("an overlay has more tables than there is room for in memory", async () => {
  using folder = new TempDirectory();
  const image = folder.file("large");
  Deno.writeFileSync(image, new Uint8Array(0));
  const size = 64 * GIB;
  Deno.truncateSync(image, size);
  const options = ["--overlay", "--cache-size", "64K"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  using client = await NbdClient.connect(exported.socket);
  const random = new Random(4);
  const written = new Map<number, number>();
  for (let id = 1; id <= 3000; id++) {
    const offset = random.below(size / MIB) * MIB + random.below(8) * UNIT;
    written.set(offset, id);
    await client.write(offset, stampedBytes(offset, UNIT, id));
    if (id % 500 === 0) await client.flush();
  }
  for (const [offset, id] of written) {
    assert(sameBytes(await client.read(offset, UNIT), stampedBytes(offset, UNIT, id)), `${offset}`);
  }
  for (const offset of written.keys()) await client.discard(offset, UNIT);
  const [first = 0] = written.keys();
  assertEquals(await client.read(first, UNIT), new Uint8Array(UNIT));
});

/** What the overlay of a daemon takes in memory. */
function overlayBytes(pid: number): number {
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${name}`;
    if (!Deno.readLinkSync(path).includes("tslosetup overlay")) continue;
    return (Deno.statSync(path).blocks ?? 0) * 512;
  }
  throw new Error("no overlay in memory");
}

Deno.test("an overlay takes what was written, and gives it back when that is discarded", async () => {
  using folder = new TempDirectory();
  const { image, options } = rawBase(folder);
  const all = { folder, image, options: [...options, "--overlay=ram"] };
  await using exported = await ExportedImage.attach(all);
  using client = await NbdClient.connect(exported.socket);
  const empty = overlayBytes(exported.pid);
  for (let at = 0; at < SIZE; at += 64 * KIB) await client.write(at, new Uint8Array(UNIT).fill(1));
  const pages = SIZE / (64 * KIB);
  const written = overlayBytes(exported.pid) - empty;
  assert(written <= (pages + 2) * UNIT, `${written} bytes`);
  await client.discard(0, UNIT);
  await client.discard(MIB, 2 * MIB);
  await client.read(0, 512);
  const left = overlayBytes(exported.pid) - empty;
  assert(left <= (pages / 2 + 1) * UNIT, `${left} bytes`);
});

Deno.test("the smallest overlay there can be has room for something, however large the disk", async () => {
  for (const sizeBytes of [SIZE, 8 * 1024 * GIB]) {
    using folder = new TempDirectory();
    const image = folder.file("image");
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, sizeBytes);
    const options = ["--overlay=ram", "--overlay-size", "128K"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    using client = await NbdClient.connect(exported.socket);
    await client.write(SIZE - 4 * KIB, new Uint8Array(4 * KIB).fill(2));
    assertEquals(await client.read(SIZE - 1, 1), Uint8Array.of(2));
  }
});

Deno.test("a full overlay fails who writes more, until something is discarded", async () => {
  using folder = new TempDirectory();
  const { image, options, disk } = rawBase(folder);
  const limited = [...options, "--overlay=ram", "--overlay-size", "1M"];
  await using exported = await ExportedImage.attach({ folder, image, options: limited });
  using client = await NbdClient.connect(exported.socket);
  using other = await NbdClient.connect(exported.socket);
  let end = 0;
  const full = await assertRejects(async () => {
    for (;; end += 64 * KIB) await client.write(end, new Uint8Array(64 * KIB).fill(2));
  }, NbdFailure);
  assertEquals(full.number, NBD_ENOSPC);
  assert(end >= MIB - 192 * KIB && end < MIB, `${end}`);
  // Others go on: they read, write what is there, flush, clear.
  disk.fill(2, 0, end);
  await other.write(0, new Uint8Array(64 * KIB).fill(3));
  disk.fill(3, 0, 64 * KIB);
  await other.flush();
  assert(sameBytes(await other.read(0, end), disk.subarray(0, end)));
  await other.discard(end - 512 * KIB, 512 * KIB);
  disk.fill(0, end - 512 * KIB, end);
  await client.write(3 * MIB, new Uint8Array(256 * KIB).fill(4));
  disk.fill(4, 3 * MIB, 3 * MIB + 256 * KIB);
  const rest = await client.read(end + 64 * KIB, 64 * KIB);
  assert(sameBytes(rest, disk.subarray(end + 64 * KIB, end + 128 * KIB)));
  assert(sameBytes(await client.read(3 * MIB, MIB), disk.subarray(3 * MIB)));
});

rootTest("who may only read an image can write over it", ["setpriv"], async () => {
  using nobody = new Nobody();
  const image = nobody.write("image", stampedBytes(0, SIZE, 0));
  Deno.chownSync(image, 0, 0);
  Deno.chmodSync(image, 0o444);
  const socket = `${nobody.home}/socket`;
  await nobody.program.must("--overlay", "--socket", socket, image);
  try {
    using client = await NbdClient.connect(socket);
    await client.write(0, new Uint8Array(UNIT).fill(9));
    assertEquals((await client.read(0, UNIT))[0], 9);
  } finally {
    await nobody.program.must("-d", socket);
  }
});

Deno.test("what has an overlay is listed as its image, and can be written to", async () => {
  using folder = new TempDirectory();
  const { image } = rawBase(folder);
  await using exported = await ExportedImage.attach({ folder, image, options: ["--overlay"] });
  const columns = "RO,BACK-FILE,FILE-FORMAT,SIZE";
  const listed = await exported.program.must("-l", "-n", "--raw", "-O", columns, exported.socket);
  assertEquals(listed.trim(), `0 ${image} RAW ${SIZE}`);
  const found = await exported.program.must("-j", image);
  assert(found.includes(exported.socket), found);
});

Deno.test("the overlay is kept where $TMPDIR says, without a name", async () => {
  using folder = new TempDirectory();
  const { image } = rawBase(folder);
  const place = folder.file("place");
  Deno.mkdirSync(place);
  const as = asRoot({ TMPDIR: place });
  await using exported = await ExportedImage.attach({ folder, image, options: ["--overlay"], as });
  const links = [...Deno.readDirSync(`/proc/${exported.pid}/fd`)]
    .map(({ name }) => linkAt(`/proc/${exported.pid}/fd/${name}`));
  assert(links.some((link) => link.startsWith(`${place}/`)), links.join(" "));
  assertEquals([...Deno.readDirSync(place)], []);
});

function linkAt(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

Deno.test({
  name: "an overlay that cannot be made is an error on one line, and nothing is left",
  fn: async () => {
    using folder = new TempDirectory();
    const { image } = rawBase(folder);
    const program = asRoot({ TMPDIR: folder.file("none") });
    const { code, stderr } = await program.run("--overlay", "--socket", folder.file("s"), image);
    assertEquals([code, stderr.trim().split("\n").length], [1, 1]);
    assert(
      stderr.includes(`the overlay in ${folder.file("none")}: No such file or directory`),
      stderr,
    );
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["raw"]);
  },
});

rootTest("an overlay on a full disk says that it is that", ["mount", "umount"], async () => {
  using folder = new TempDirectory();
  const [image, full] = [folder.file("image"), folder.file("full")];
  Deno.writeFileSync(image, new Uint8Array(MIB));
  Deno.mkdirSync(full);
  await must("mount", "-t", "tmpfs", "-o", "size=64K", "tmpfs", full);
  try {
    Deno.writeFileSync(`${full}/rest`, new Uint8Array(60 * KIB));
    const program = asRoot({ TMPDIR: full });
    const overlays = [
      ["--overlay", `the overlay in ${full}`],
      [`--overlay=${full}/overlay`, `${full}/overlay`],
    ] as const;
    for (const [option, name] of overlays) {
      const { code, stderr } = await program.run(option, "--socket", folder.file("s"), image);
      assertEquals(code, 1);
      const problem = `failed to set up socket: ${name}: No space left on device`;
      assert(stderr.startsWith(`tslosetup: ${image}: ${problem}`), stderr);
      assertEquals(stderr.trim().split("\n").length, 1, stderr);
    }
    assertEquals([...Deno.readDirSync(full)].map(({ name }) => name), ["rest"]);
  } finally {
    await must("umount", full);
  }
});
