// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { deviceTest } from "../fuse/device.ts";
import { asRoot } from "../../support/program.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;

/** What -v says. */
const DETACHING = (device: string): string => `detaching ${device}`;
const OPEN = (device: string): string =>
  `${device}: still open; it is detached when its last user closes it`;

deviceTest("-d goes on after what cannot be detached", [], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  const device = (await program.must("-f", "--show", folder.sparse("disk", MIB))).trim();
  const { code, stderr } = await program.run("-d", "/dev/null", "nowhere", device, device);
  assertEquals(code, 1);
  assertEquals(stderr.split("\n"), [
    "tslosetup: /dev/null: failed to use device: No such device",
    "tslosetup: nowhere: failed to use device: No such device",
    `tslosetup: ${device}: detach failed: No such device or address`,
    "",
  ]);
  assertEquals(folder.attached(), []);
});

deviceTest("-d of a device in use is lazy, and -L takes it back", [], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  const image = folder.sparse("disk", MIB);
  const device = (await program.must("-f", "--show", image)).trim();
  {
    using _user = await Deno.open(device);
    await program.must("-d", device.slice("/dev/".length));
    assertEquals(folder.attached().map(({ autoClear }) => autoClear), ["1"]);
    for (const [words, said] of [[[], []], [["-v"], [DETACHING, OPEN]]] as const) {
      const { stderr } = await program.run("-d", ...words, device);
      assertEquals(stderr, said.map((what) => `tslosetup: ${what(device)}\n`).join(""));
    }
    assertEquals((await program.must("-L", "-f", "--show", image)).trim(), device);
    assertEquals(folder.attached().map(({ autoClear }) => autoClear), ["0"]);
  }
  assertEquals(folder.attached().length, 1);
});

deviceTest("-L compares devices of ours by image and part, over fuse, too", [], async (t) => {
  using folder = new LoopFolder();
  const program = asRoot();
  const image = folder.sparse("disk", MIB);
  Deno.symlinkSync(image, folder.file("link"));
  const fuse = ["--transport", "fuse", "-r", "-f", "--show"];
  const device = (await program.must(...fuse, "--sizelimit", "4K", image)).trim();
  try {
    const again = (...words: string[]): ReturnType<typeof program.run> =>
      program.run(...fuse, "-L", ...words);
    await t.step("the same part", async () => {
      const { stdout } = await again("--sizelimit", "4K", folder.file("link"));
      assertEquals(stdout.trim(), device);
    });
    await t.step("an overlapping part", async () => {
      const { code, stderr } = await again("-o", "2K", image);
      assertEquals([code, stderr], [1, `tslosetup: ${image}: overlapping loop device exists\n`]);
    });
    await t.step("the same part, named device", async () => {
      const words = ["-L", "--sizelimit", "4K", "/dev/loop232", image];
      const { code, stderr } = await program.run(...words);
      assertEquals([code, stderr], [1, `tslosetup: ${image}: overlapping loop device exists\n`]);
    });
  } finally {
    await program.must("-d", device);
  }
});
