/**
 * Options that mount(8) takes for itself, whatever the type: it makes a loop device of the image's file
 * before it calls our helper.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Waiting } from "../../support/patience.ts";
import { asRoot } from "../../support/program.ts";
import { must } from "../../support/tools.ts";
import { deviceTest, MIB } from "../fuse/device.ts";
import { MOUNT_TOOLS, Mounting } from "./mount_helper.ts";

/** Loop devices right on a file, through which it would be written to regardless of locks. */
async function loopsOn(image: string): Promise<string> {
  return (await must("losetup", "--noheadings", "--output=NAME", "--associated", image)).trim();
}

async function hasNoLoop(image: string): Promise<void> {
  const waiting = new Waiting("mount's loop device to go");
  for (; await loopsOn(image) !== ""; waiting.goOn());
}

deviceTest("options that mount(8) takes are about the disk in an image", MOUNT_TOOLS, async (t) => {
  await using mounting = await Mounting.make();
  const image = await mounting.image("disk.qcow2", "qcow2", { offset: MIB });
  for (const options of [`offset=${MIB}`, `loop,offset=${MIB},sizelimit=${8 * MIB}`]) {
    await t.step(options, async () => {
      assertEquals(await mounting.mount(image, options), { code: 0, stdout: "", stderr: "" });
      await hasNoLoop(image);
      await mounting.writeAndLeave();
      await must("qemu-img", "check", "-q", image);
    });
  }
  assertStringIncludes((await mounting.mount(image, "loop")).stderr, "wrong fs type");
});

deviceTest("mount -o offset= is about a RAW image as before", MOUNT_TOOLS, async () => {
  await using mounting = await Mounting.make();
  const image = await mounting.image("disk.img", "raw", { offset: MIB });
  assertEquals(await mounting.mount(image, `offset=${MIB}`), { code: 0, stdout: "", stderr: "" });
  await mounting.writeAndLeave();
  await hasNoLoop(image);
});

deviceTest(
  "mount -o sizelimit= heeds the lock of who writes to the image",
  MOUNT_TOOLS,
  async () => {
    await using mounting = await Mounting.make();
    const image = await mounting.image("disk.qcow2", "qcow2");
    const socket = mounting.folder.file("socket");
    const program = asRoot();
    await program.must("--socket", socket, "-t", "QCOW", image);
    try {
      const { code, stderr } = await mounting.mount(image, `sizelimit=${8 * MIB}`);
      assertEquals(code, 32);
      assertStringIncludes(stderr, "the image is in use by");
      await hasNoLoop(image);
    } finally {
      await program.must("-d", socket);
    }
  },
);

deviceTest("mount takes a loop device that is named for what it is", MOUNT_TOOLS, async () => {
  await using mounting = await Mounting.make();
  const image = await mounting.image("disk.qcow2", "qcow2");
  const device = (await must("losetup", "--find", "--show", image)).trim();
  try {
    assertEquals((await mounting.mount(device, "format=qcow")).code, 0);
    await mounting.writeAndLeave();
    assertEquals(await loopsOn(image), device);
  } finally {
    await must("losetup", "--detach", device);
  }
  await must("qemu-img", "check", "-q", image);
});
