/**
 * The locks of plain loop devices: they last as long as the devices, and no process holds them.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deviceTest } from "../fuse/device.ts";
import { Waiting } from "../../support/patience.ts";
import { asRoot, ExportedImage } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
const TOOLS = ["qemu-img", "qemu-io"] as const;

/** Whether qemu may copy the image, and write to it. */
async function qemuMay(image: string, copy: string): Promise<{ read: boolean; write: boolean }> {
  const read = await run("qemu-img", "convert", "-f", "raw", "-O", "raw", image, copy);
  const write = await run("qemu-io", "-f", "raw", "-c", "write 0 512", image);
  for (const { code, stderr } of [read, write]) if (code !== 0) assertMatch(stderr, /lock/);
  return { read: read.code === 0, write: write.code === 0 };
}

/** Somebody may be looking at the device, with which the locks go, or have yet to end. */
async function becomesFree(image: string, copy: string): Promise<void> {
  for (const waiting = new Waiting("the locks to go");; waiting.goOn()) {
    const { read, write } = await qemuMay(image, copy);
    if (read && write) return;
  }
}

deviceTest("a RAW image on a loop device is locked, until it is detached", TOOLS, async () => {
  using folder = new LoopFolder();
  using other = new TempDirectory();
  const image = folder.sparse("disk", MIB);
  const copy = other.file("copy");
  const program = asRoot();
  for (const [options, read] of [[["-r"], true], [[], false]] as const) {
    const device = (await program.must(...options, "-f", "--show", image)).trim();
    assertEquals(await qemuMay(image, copy), { read, write: false });
    await must("qemu-img", "info", "-U", image);
    const { code, stderr } = await program.run("--socket", other.file("s"), image);
    assertEquals(code, 1);
    assertMatch(stderr, new RegExp(`the image is in use by ${device}\n$`));
    await must("losetup", "-d", device);
    await becomesFree(image, copy);
  }
});

deviceTest("loop devices of one RAW image bear each other, as losetup's do", TOOLS, async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const program = asRoot();
  const attach = ["--find", "--show", image];
  await must("losetup", ...attach);
  for (const options of [["-r"], [], ["-o", "4096"], ["-r"], []]) {
    await program.must(...options, ...attach);
    await must("losetup", ...options, ...attach);
  }
  assertEquals(folder.attached().length, 11);
  const { write } = await qemuMay(image, folder.file("copy"));
  assert(!write);
});

deviceTest("a RAW image is not written beside somebody who counts on that", [], async () => {
  using folder = new LoopFolder();
  using sockets = new TempDirectory();
  const image = folder.sparse("disk", MIB);
  await using reader = await ExportedImage.attach({ folder: sockets, image, options: ["-r"] });
  const program = asRoot();
  const { code, stderr } = await program.run("-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, new RegExp(`the image is in use by tslosetup \\(pid ${reader.pid}\\)\n$`));
  await program.must("-r", "-f", image);
  assertEquals(folder.attached().length, 1);
});
