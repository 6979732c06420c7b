// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { loopStatus } from "../../../src/kernel/loop_status.ts";
import { deviceTest } from "../fuse/device.ts";
import { asRoot, ExportedImage, statesIn } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { type AttachedLoop, LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
/** Numbers that nobody else takes. */
const [HIGH, HIGHER] = ["/dev/loop230", "/dev/loop231"] as const;

function only(folder: LoopFolder): AttachedLoop {
  const [loop, ...others] = folder.attached();
  assert(loop !== undefined);
  assertEquals(others, []);
  return loop;
}

deviceTest("a RAW image is attached by the kernel alone: no process, no state", [], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  const image = folder.sparse("disk", MIB);
  const device = (await program.must("-v", "--find", "--show", image)).trim();
  const { path, ...loop } = only(folder);
  assertEquals(device, path);
  assertEquals(loop, {
    backing: "disk",
    offset: "0",
    sizeLimit: "0",
    autoClear: "0",
    partScan: "0",
    directIo: "0",
    readOnly: "0",
    sectors: "2048",
    sectorSize: "512",
  });
  assertEquals(program.processes(), []);
  assertEquals(statesIn(program.stateDirectory), []);
  await program.must("-d", device);
  assertEquals(folder.attached(), []);
});

deviceTest(
  "auto finds out that an image is RAW; -v says which transport, and why",
  [],
  async () => {
    using folder = new LoopFolder();
    const image = folder.sparse("disk", MIB);
    const { code, stderr } = await asRoot().run("-v", "-t", "auto", "-f", image);
    assertEquals(code, 0);
    assertMatch(stderr, /^tslosetup: transport loop: .*RAW/);
    assertEquals(only(folder).backing, "disk");
  },
);

deviceTest("a snapshot of a RAW image is refused, not passed over", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const { code, stderr } = await asRoot().run("--snapshot", "before", "-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*disk: failed .*: RAW images have no internal snapshots\n$/);
  assertEquals(folder.attached(), []);
});

deviceTest("transport loop refuses what auto finds to be a container", ["qemu-img"], async () => {
  using folder = new LoopFolder();
  const image = folder.file("disk.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "1M");
  const { code, stderr } = await asRoot().run("--transport", "loop", "-t", "auto", "-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: failed to set up loop device: transport 'loop' .*QCOW\n$/);
  assertEquals(folder.attached(), []);
});

deviceTest(
  "a container that is attached as RAW by default is worth a hint",
  ["qemu-img"],
  async () => {
    using folder = new LoopFolder();
    const image = folder.file("disk.qcow2");
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, "1M");
    Deno.truncateSync(image, 256 * 1024);
    const program = asRoot();
    assertMatch((await program.run("-f", image)).stderr, /warning: it begins like a QCOW image/);
    assertEquals((await program.run("-t", "RAW", "-f", image)).stderr, "");
  },
);

deviceTest("what would change an image on a read-only device says so", ["qemu-img"], async () => {
  using folder = new LoopFolder();
  const [image] = ["image", "base"].map((name) => folder.sparse(name, MIB));
  await must("qemu-img", "create", "-qfqcow2", "-F", "raw", "-b", "base", `${image}`, "1M");
  await must("truncate", "--size=%512", `${image}`);
  const device = (await must("losetup", "-r", "-f", "--show", `${image}`)).trim();
  for (const words of [["--snapshot-create", "s"], ["--check", "--repair", "all"]]) {
    const { code, stderr } = await asRoot().run(...words, device);
    assertEquals(code, 1);
    assert(stderr.endsWith(": the device is read-only\n"), stderr);
  }
  await must("losetup", "-d", device);
});

deviceTest("a device that the kernel does not have is made, and removed", [], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  assertEquals(await program.must("--show", HIGH, folder.sparse("disk", MIB)), `${HIGH}\n`);
  assertEquals(only(folder).path, HIGH);
  const { code, stderr } = await program.run("--remove", HIGH, HIGHER);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `tslosetup: ${HIGH}: remove failed: Device or resource busy\n` +
      `tslosetup: ${HIGHER}: remove failed: No such device\n`,
  );
  await program.must("-d", HIGH);
  await program.must("--remove", "loop230");
  assertEquals((await run("test", "-e", HIGH)).code, 1);
});

deviceTest("--loop-ref names the device, up to 63 bytes of it", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  await asRoot().must("-f", "--loop-ref", "r".repeat(70), image);
  assertEquals(loopStatus(only(folder).path)?.fileName, "r".repeat(63));
  folder.clear();
  await asRoot().must("-f", image);
  assertEquals(loopStatus(only(folder).path)?.fileName, image);
});

deviceTest("what somebody else is writing is attached for reading only", [], async () => {
  using folder = new LoopFolder();
  using sockets = new TempDirectory();
  const image = folder.sparse("disk", MIB);
  await using _writer = await ExportedImage.attach({ folder: sockets, image });
  const program = asRoot();
  const { code, stderr } = await program.run("-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, /failed to set up loop device: the image is in use by tslosetup \(pid \d+\)/);
  await program.must("-r", "-f", image);
  assertEquals(only(folder).readOnly, "1");
});

deviceTest("-c takes notice of a file that has grown", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const program = asRoot();
  await program.must("-f", image);
  Deno.truncateSync(image, 2 * MIB);
  await program.must("-c", only(folder).path);
  assertEquals(only(folder).sectors, "4096");
});

deviceTest("TSLOSETUP_DEBUG shows the calls to the kernel", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const program = asRoot({ TSLOSETUP_DEBUG: "kernel,nothing" });
  const { code, stderr } = await program.run("-f", image);
  assertEquals(code, 0);
  assertStringIncludes(stderr, `: tslosetup: kernel: ioctl LOOP_CONFIGURE `);
  assertStringIncludes(stderr, ` on ${only(folder).path}: 0\n`);
  assertEquals(stderr.includes("tslosetup: cli:"), false);
});
