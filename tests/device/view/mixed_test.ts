// @ts-types="../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { asRoot, isRunning, programCommand, statesIn } from "../../support/program.ts";
import { must, mustDeriveKey, type Output, run, TempDirectory } from "../../support/tools.ts";
import { devicesBelow, listed, nothingBelow, VIEW, View, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io", "dd"] as const;
const MIB = 1024 * 1024;

/** Where the image of {@link makeMixed} has compressed clusters, plain ones, and none, in MiB. */
const PLACES = { compressed: 1, plain: 2, none: 4 } as const;

/** An image of 8 MiB, as it may be after a system on a compressed image has run for a while. */
async function makeMixed(folder: TempDirectory): Promise<string> {
  const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
  const disk = new Uint8Array(8 * MIB);
  disk.fill(7, MIB, 3 * MIB);
  Deno.writeFileSync(raw, disk);
  await must("qemu-img", "convert", "-c", "-O", "qcow2", raw, image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 8 2M 2M", image);
  return image;
}

function assertShows(path: string): void {
  const bytes = Deno.readFileSync(path);
  assertEquals([0, 1, 2, 3, 4].map((mib) => bytes[mib * MIB]), [0, 7, 8, 8, 0]);
}

/** Reads a MiB past the page cache; false if that fails. */
async function canRead(path: string, mib: number): Promise<boolean> {
  const words = [`if=${path}`, "of=/dev/null", "bs=1M", `skip=${mib}`, "count=1", "iflag=direct"];
  const { code, stderr } = await run("dd", ...words);
  assert(code === 0 || /Input\/output error/.test(stderr), stderr);
  return code === 0;
}

/** The process that serves a part of a view. */
function daemonOf({ program, path }: View): number {
  const state = statesIn(program.stateDirectory).find(({ device }) => device === path);
  if (state === undefined) throw new Error(`${path} has no daemon`);
  return state.pid;
}

for (const how of ["losetup -d", "tslosetup -d DEVICE", "tslosetup -d IMAGE"] as const) {
  viewTest(`${how} takes all of a mixed view down`, TOOLS, async () => {
    using folder = new TempDirectory();
    const image = await makeMixed(folder);
    await using view = await View.attach(image, "-t", "QCOW");
    assertShows(view.path);
    assertEquals(view.below.length, 3);
    const daemon = daemonOf(view);
    const words = {
      "losetup -d": [],
      "tslosetup -d DEVICE": [view.path],
      "tslosetup -d IMAGE": [image],
    };
    if (how === "losetup -d") await must("losetup", "-d", view.path);
    else await view.program.must("-d", ...words[how]);
    await eventually(() => view.backingFile === undefined, "the view to go");
    await nothingBelow();
    await eventually(() => !isRunning(daemon), "the daemon to end");
    assertEquals(statesIn(view.program.stateDirectory), []);
  });
}

viewTest("a mixed view without its daemon still has what the kernel reads", TOOLS, async () => {
  for (const tool of ["losetup", "tslosetup"] as const) {
    using folder = new TempDirectory();
    const image = await makeMixed(folder);
    await using view = await View.attach(image, "-t", "QCOW", "--no-revive");
    const daemon = daemonOf(view);
    Deno.kill(daemon, "SIGKILL");
    await eventually(() => !isRunning(daemon), "the daemon to end");
    assertEquals(await canRead(view.path, PLACES.plain), true);
    assertEquals(await canRead(view.path, PLACES.none), true);
    assertEquals(await canRead(view.path, PLACES.compressed), false);
    const row = await listed(view.program, view.path);
    assertEquals([row?.["back-file"], row?.["transport"]], [image, "view"]);
    const { stderr } = await view.program.run("-l", view.path);
    assertStringIncludes(stderr, "is gone and access to what it served fails");
    const words = ["-r", "-t", "QCOW", "--nooverlap", "--find", "--show", image];
    const other = (await view.program.must(...words)).trim();
    assertNotEquals(other, view.path);
    assertShows(other);
    await view.program.must("-d", other);
    if (tool === "losetup") await must("losetup", "-d", view.path);
    else await view.detach();
    await eventually(() => view.backingFile === undefined, "the view to go");
    await nothingBelow();
    await view.program.run("-l");
    assertEquals(statesIn(view.program.stateDirectory), []);
  }
});

viewTest("a mixed view is one line of a listing, with or without its state", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeMixed(folder);
  await using view = await View.attach(image, "-t", "QCOW", "-o", "1M", "--sizelimit", "2M");
  assertEquals(view.sizeBytes, 2 * MIB);
  const { path, program } = view;
  const daemon = daemonOf(view);
  const known = { image, inode: Deno.statSync(image).ino };
  const expected = [known.image, "QCOW", "view", MIB, 2 * MIB, known.inode, true];
  const found = async (): Promise<unknown[]> => {
    const row = await listed(program, path) ?? {};
    return ["back-file", "file-format", "transport", "offset", "sizelimit", "back-ino", "ro"]
      .map((column) => row[column]);
  };
  assertEquals(await found(), expected);
  assertEquals((await listed(program, path))?.["pid"], daemon);
  const lines = (await program.must("-l", "-n", "-O", "NAME,BACK-FILE")).split("\n");
  assertEquals(lines.filter((line) => line.includes(image)).length, 1);
  for (const { name } of Deno.readDirSync(program.stateDirectory)) {
    Deno.removeSync(`${program.stateDirectory}/${name}`);
  }
  assertEquals(await found(), expected);
  await program.must("-d", path);
  await eventually(() => !isRunning(daemon), "the daemon to end");
});

viewTest("a mixed view ends with a compressed cluster that is not whole", TOOLS, async () => {
  for (const sizeBytes of [MIB + 512, MIB + 64 * 1024 + 1536, 3 * MIB - 512]) {
    using folder = new TempDirectory();
    const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
    Deno.writeFileSync(raw, new Uint8Array(sizeBytes).fill(9));
    await must("qemu-img", "convert", "-c", "-O", "qcow2", raw, image);
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 8 0 64K", image);
    await using view = await View.attach(image, "-t", "QCOW");
    const bytes = Deno.readFileSync(view.path);
    assertEquals(bytes.length, sizeBytes);
    assert(bytes.every((byte, at) => byte === (at < 64 * 1024 ? 8 : 9)), `${sizeBytes}`);
    const last = Math.floor((sizeBytes - 1) / 512);
    const words = [`if=${view.path}`, "bs=512", `skip=${last}`, "iflag=direct"];
    const { stdout } = await run("dd", ...words);
    assertEquals(stdout, "\t".repeat(512));
  }
  await nothingBelow();
});

viewTest("an encrypted image over a plain one asks for its key only", TOOLS, async () => {
  using folder = new TempDirectory();
  const [base, image, key] = [folder.file("base"), folder.file("disk"), folder.file("key")];
  Deno.writeTextFileSync(key, "horse");
  await must("qemu-img", "create", "-q", "-f", "qcow2", base, "8M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 2M", base);
  const secret = ["--object", `secret,id=key,file=${key}`];
  const luks = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
  const create = ["create", "-q", ...secret, "-f", "qcow2", "-o", luks, "-b", base, "-F", "qcow2"];
  await mustDeriveKey("qemu-img", ...create, image);
  const opened = `driver=qcow2,file.filename=${image},encrypt.format=luks,encrypt.key-secret=key`;
  const write = ["-c", "write -P 8 2M 2M"];
  await mustDeriveKey("qemu-io", ...secret, "--image-opts", ...write, opened);
  const words = [...VIEW, "-r", "-t", "QCOW", "--find", "--show"];
  const wrong = folder.file("wrong");
  Deno.writeTextFileSync(wrong, "cow");
  const refused = await asRoot().run(...words, "--key-file", wrong, image);
  assertNotEquals(refused.code, 0);
  assertMatch(refused.stderr, /^tslosetup: .*passphrase.*\n$/);
  await nothingBelow();
  // Otherwise what was read once can be read without its daemon.
  const uncached = ["--direct-io=on", "--no-revive"];
  await using view = await View.attach(image, "-t", "QCOW", "--key-file", key, ...uncached);
  assertShows(view.path);
  const daemon = daemonOf(view);
  Deno.kill(daemon, "SIGKILL");
  await eventually(() => !isRunning(daemon), "the daemon to end");
  assertEquals([await canRead(view.path, 1), await canRead(view.path, 2)], [true, false]);
});

viewTest("an encrypted image with nothing in it takes its key, too", TOOLS, async () => {
  using folder = new TempDirectory();
  const [image, key, wrong] = [folder.file("disk"), folder.file("key"), folder.file("wrong")];
  Deno.writeTextFileSync(key, "horse");
  Deno.writeTextFileSync(wrong, "cow");
  const secret = ["--object", `secret,id=key,file=${key}`];
  const luks = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
  const create = ["create", "-q", ...secret, "-f", "qcow2", "-o", luks];
  await mustDeriveKey("qemu-img", ...create, image, "8M");
  const words = ["-r", "-t", "QCOW", "--find", "--show"];
  for (const options of [VIEW, [...VIEW, "--key-file", key], [], ["--key-file", wrong]]) {
    const { code, stderr } = await asRoot().run(...words, ...options, image);
    assertEquals(code, 1, options.join(" "));
    assertMatch(stderr, /encrypted|passphrase/);
    assert(!stderr.includes("is not encrypted"), stderr);
  }
  await nothingBelow();
});

viewTest("SIGTERM to the daemon of a mixed view has it go with its last close", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeMixed(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  const daemon = daemonOf(view);
  {
    using _user = Deno.openSync(view.path);
    Deno.kill(daemon, "SIGTERM");
    await eventually(
      () => Deno.readTextFileSync(`/sys/block/${view.name}/loop/autoclear`) === "1\n",
      "the view to be about to go",
    );
    assertEquals(await canRead(view.path, PLACES.compressed), true);
  }
  await eventually(() => !isRunning(daemon), "the daemon to end");
  await nothingBelow();
});

viewTest("--nooverlap has a mixed view stay that was about to go", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeMixed(folder);
  await using view = await View.attach(image, "-t", "QCOW");
  const { program, path } = view;
  const again = [...VIEW, "-L", "-r", "-t", "QCOW", "--find", "--show", image];
  {
    using _user = Deno.openSync(path);
    await program.run("-d", path);
    assertEquals((await listed(program, path))?.["autoclear"], true);
    assertEquals((await program.must(...again)).trim(), path);
  }
  const [state] = statesIn(program.stateDirectory) as { isLeaving?: boolean }[];
  assertEquals(state?.isLeaving, false);
  assertShows(path);
});

viewTest("an image of which the kernel could read nothing gets no view", TOOLS, async () => {
  using folder = new TempDirectory();
  const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
  Deno.writeFileSync(raw, new Uint8Array(4 * MIB).fill(7, 0, 2 * MIB));
  await must("qemu-img", "convert", "-c", "-O", "qcow2", raw, image);
  const { code, stderr } = await asRoot().run(...VIEW, "-r", "-t", "QCOW", "-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: all of its clusters are compressed, .*nbd or fuse.*\n$/);
  await nothingBelow();
});

/** The calls of the kernel by which a mixed view is made, and how often at most. */
const STEPS = { ioctl: 16, fsopen: 3, fsconfig: 12, fsmount: 2, sendmsg: 1, rename: 1 };

/** Attaches it, while strace does something to the command's calls. */
function attachTraced(image: string, how: readonly string[]): Promise<Output> {
  const program = programCommand();
  const before = asRoot().command.slice(0, -program.length);
  const attach = [...VIEW, "-r", "-t", "QCOW", "--find", "--show", image];
  const strace = ["strace", "-qq", "-o", "/dev/null", ...how];
  const [first = "", ...words] = [...before, ...strace, ...program, ...attach];
  return run(first, ...words);
}

viewTest("killed at any step, a mixed attach leaves nothing", [...TOOLS, "strace"], async () => {
  using folder = new TempDirectory();
  const image = await makeMixed(folder);
  const program = asRoot();
  const steps = Object.entries(STEPS).flatMap(([step, most]) =>
    Array.from({ length: most }, (_, index) => [step, index + 1] as const)
  );
  let killed = 0;
  for (const [step, count] of steps) {
    const inject = `--inject=${step}:signal=SIGKILL:when=${count}`;
    const { code, stdout } = await attachTraced(image, [`--trace=${step}`, inject]);
    const device = stdout.trim();
    if (code !== 0) killed++;
    else await must("losetup", "-d", device);
    await nothingBelow();
    await eventually(() => statesIn(program.stateDirectory).length === 0, "the daemon to end");
  }
  assert(killed > 20, `only ${killed} were killed`);
});

viewTest("an image that is replaced before its daemon opens it is refused", [
  ...TOOLS,
  "strace",
], async () => {
  using folder = new TempDirectory();
  using others = new TempDirectory();
  const [image, other] = [await makeMixed(folder), await makeMixed(others)];
  // The daemon gets to know what it is to open by this call.
  const attached = attachTraced(image, ["--trace=sendmsg", "--inject=sendmsg:delay_enter=5000000"]);
  await eventually(() => devicesBelow().length > 0, "the view to be under way");
  await must("mv", other, image);
  const { code, stderr } = await attached;
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*replaced meanwhile\n$/);
  await nothingBelow();
  assertEquals(statesIn(asRoot().stateDirectory), []);
});
