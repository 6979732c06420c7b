// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { abortFuseConnection } from "../../../src/kernel/fuse_control.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { eventually } from "../../support/patience.ts";
import { statesIn } from "../../support/program.ts";
import { must, run, runPatiently, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

/** A device whose daemon is stopped until the end of the scope. */
async function stoppedDevice(folder: TempDirectory): Promise<Device> {
  const device = await Device.attach(makeSparse(folder.file("disk"), 16 * MIB));
  device.kill("SIGSTOP");
  return device;
}

/** A read that gets an answer only if the daemon goes on, or the kernel gives up on it. */
function readBlock(device: Device): ReturnType<typeof run> {
  const args = [`if=${device.path}`, "of=/dev/null", "bs=4k", "count=1", "iflag=direct"];
  return runPatiently("dd", ...args, "status=none");
}

deviceTest(
  "-d says that the daemon is stopped, and the device goes when that runs again",
  [],
  async () => {
    using folder = new TempDirectory();
    await using device = await stoppedDevice(folder);
    const { code, stderr } = await device.program.run("-d", device.path);
    assertEquals(code, 1);
    assertMatch(stderr, /^tslosetup: .*: its daemon \(pid \d+\) is stopped: .*--force.*\n$/);
    await eventually(() => !device.isAttached, "the device to go");
    const told = RegExp(
      `: warning: ${device.path} is detached, but its daemon .* is stopped: kill`,
    );
    for (const words of [["-l"], ["-j", device.image]]) {
      assertMatch((await device.program.run(...words)).stderr, told);
    }
    const other = await device.program.run("-j", folder.path);
    assertEquals(other.stderr.includes(device.path), false);
    device.kill("SIGCONT");
    await device.gone();
  },
);

deviceTest("-c says that the daemon is stopped", [], async () => {
  using folder = new TempDirectory();
  await using device = await stoppedDevice(folder);
  const { code, stderr } = await device.program.run("-c", device.path);
  device.kill("SIGCONT");
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: its daemon \(pid \d+\) is stopped: kill -CONT \d+ .*\n$/);
});

deviceTest("-d --force of a stopped daemon fails what waits, and leaves nothing", [], async () => {
  using folder = new TempDirectory();
  await using device = await stoppedDevice(folder);
  const reading = readBlock(device);
  await eventually(() => device.inFlight > 0, "a request");
  const { code, stderr } = await device.program.run("-d", "--force", device.path);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /gave up on its daemon \(pid \d+\)\n$/);
  const result = await reading;
  assertEquals(result.code, 1);
  assertMatch(result.stderr, /Input\/output error/);
  await device.gone();
});

deviceTest("-d --force of a daemon that runs loses nothing", ["dd", "cmp"], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), 4 * MIB));
  const random = folder.file("random");
  await must("dd", "if=/dev/urandom", `of=${random}`, "bs=1M", "count=4", "status=none");
  await must("dd", `if=${random}`, `of=${device.path}`, "bs=64k", "status=none");
  const { code, stderr } = await device.program.run("-d", "--force", device.path);
  assertEquals([code, stderr], [0, ""]);
  await device.gone();
  await must("cmp", random, device.image);
});

async function attachFileSystem(folder: TempDirectory): Promise<Device> {
  const image = makeSparse(folder.file("disk"), 16 * MIB);
  await must("mkfs.ext4", "-q", "-F", image);
  return await Device.attach(image);
}

deviceTest("-d of a mounted device whose daemon is stopped is lazy", ["mkfs.ext4"], async () => {
  using folder = new TempDirectory();
  await using device = await attachFileSystem(folder);
  await device.mount(folder.file("mnt"));
  device.kill("SIGSTOP");
  const { code, stderr } = await device.program.run("-d", device.path);
  assertEquals(code, 0);
  assertMatch(stderr, /: warning: its daemon \(pid \d+\) is stopped: kill -CONT \d+ lets it go on/);
  device.kill("SIGCONT");
  assert(device.isAttached);
  const again = await device.program.run("-d", "-v", device.path);
  const open = `${device.path}: still open; it is detached when its last user closes it`;
  assertEquals(again.stderr, `tslosetup: detaching ${device.path}\ntslosetup: ${open}\n`);
  await device.unmount(folder.file("mnt"));
  await device.gone();
});

deviceTest(
  "-d --force of a mounted device leaves one that is listed as dead",
  ["mkfs.ext4"],
  async () => {
    using folder = new TempDirectory();
    await using device = await attachFileSystem(folder);
    await device.mount(folder.file("mnt"));
    device.kill("SIGSTOP");
    const { code, stderr } = await device.program.run("-d", "--force", device.path);
    assertEquals(code, 0);
    assertMatch(
      stderr,
      /gave up on .*\n.*: warning: still open; it is detached when its last user/,
    );
    const listed = await device.program.run(
      "-n",
      "--raw",
      "-O",
      "FILE-FORMAT,BACK-FILE",
      "-l",
      device.path,
    );
    assertEquals(listed.stdout, `RAW ${device.image}\n`);
    assertMatch(listed.stderr, /is gone and all access fails; it is detached when its last user/);
    await device.unmount(folder.file("mnt"));
    await eventually(() => !device.isAttached, "the device to go");
    assertEquals((await device.program.run("-l")).stderr.includes(device.path), false);
    await device.gone();
  },
);

deviceTest("the connection in the state can be aborted without the daemon", ["dd"], async () => {
  using folder = new TempDirectory();
  await using device = await stoppedDevice(folder);
  const [state] = statesIn(device.program.stateDirectory)
    .filter(({ pid }) => pid === device.pid) as { fuseConnection?: number }[];
  assert(state?.fuseConnection !== undefined);
  const reading = readBlock(device);
  await eventually(() => device.inFlight > 0, "a request");
  abortFuseConnection(state.fuseConnection);
  const { code, stderr } = await reading;
  assertEquals(code, 1);
  assertMatch(stderr, /Input\/output error/);
  assertNotEquals(device.isRunning, false, "it is still stopped");
  device.kill("SIGCONT");
  await eventually(() => !device.isRunning, "the daemon to end");
  await device.program.run("-d", device.path);
  await device.gone();
});
