/**
 * What mount(8) and umount(8) say of images, and how they end.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot, Nobody } from "../../support/program.ts";
import { must } from "../../support/tools.ts";
import { deviceTest, MIB } from "../fuse/device.ts";
import { MOUNT_TOOLS, Mounting } from "./mount_helper.ts";

/** An image of a disk with a partition table, and nothing else. */
async function partitioned(mounting: Mounting): Promise<string> {
  const image = mounting.folder.file("parts.img");
  await must("truncate", "-s", "4M", image);
  await must("sh", "-c", `printf "label: gpt\\n,1MiB\\n" | sfdisk --quiet ${image}`);
  return image;
}

deviceTest("mount says why an image cannot be mounted", [...MOUNT_TOOLS, "sfdisk"], async (t) => {
  await using mounting = await Mounting.make();
  const image = await partitioned(mounting);
  const { point } = mounting;
  const nowhere = `${point}/no`;
  const missing = `${mounting.folder.path}/nix.qcow2`;
  const cases: [what: string, args: [string, string, string?], code: number, says: RegExp][] = [
    [
      "no folder",
      [image, "rw", nowhere],
      32,
      /^tslosetup: \S+\/mnt\/no: mount point does not exist\n$/,
    ],
    ["no image", [missing, "rw"], 32, /^tslosetup: \S+nix.qcow2: [^\n]*No such file/],
    ["no image, nofail", [missing, "nofail"], 0, /^$/],
    ["no partition", [image, "partition=7"], 32, /no partition 7 on the disk: (the kernel|it has)/],
    ["the whole disk", [image, "part=1"], 32, /\(GPT\): -o partition=1 mounts the first one\n$/],
  ];
  for (const [what, args, code, says] of cases) {
    await t.step(what, async () => {
      const ended = await mounting.mount(...args);
      assertEquals(ended.code, code, ended.stderr);
      assertMatch(ended.stderr, says);
    });
  }
});

deviceTest("partitions are mounted, whether the kernel can read the table or not", [
  ...MOUNT_TOOLS,
  "sfdisk",
], async () => {
  await using mounting = await Mounting.make();
  const disk = await mounting.image("disk.img", "raw", { offset: MIB });
  const table = `label: gpt\\n1: start=1MiB, size=8MiB\\n2: start=10MiB, size=1MiB\\n`;
  await must("sh", "-c", `printf "${table}" | sfdisk --quiet ${disk}`);
  const image = mounting.folder.file("disk.qcow2");
  await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, image);
  assertEquals((await mounting.mount(image, "partition=1")).code, 0);
  const second = await mounting.mount(image, "partition=2", mounting.folder.file("second"));
  assertMatch(second.stderr, /wrong fs type/);
  await mounting.writeAndLeave();
  await must("qemu-img", "check", "-q", image);
  assertEquals((await mounting.mount(image, "ro,partition=1")).code, 0);
  assertEquals(await mounting.must("cat", `${mounting.point}/file`), "words\n");
});

deviceTest("an image is mounted on a folder once, as mount -a has it", MOUNT_TOOLS, async () => {
  await using mounting = await Mounting.make();
  const image = await mounting.image("disk.qcow2", "qcow2");
  const table = mounting.folder.file("fstab");
  const line = (file: string, options: string): string =>
    `${file} ${mounting.point} tslosetup ${options} 0 0\n`;
  Deno.writeTextFileSync(table, line(image, "no-revive") + line("/nix.qcow2", "nofail"));
  for (const _ of ["mounts it", "finds it mounted"]) {
    assertEquals(await mounting.run("mount", "-a", "-T", table), {
      code: 0,
      stdout: "",
      stderr: "",
    });
  }
  const again = await mounting.mount(image, "rw");
  assertEquals(again.code, 32);
  assertMatch(again.stderr, /^tslosetup: \S+disk.qcow2 is mounted on \S+\/mnt already\n$/);
});

deviceTest("the helpers of mount tell what they cannot do", ["setpriv"], async () => {
  assertEquals(await asRoot().run("--internal-umount"), {
    code: 1,
    stdout: "",
    stderr: "tslosetup: umount.tslosetup takes a folder\n",
  });
  using nobody = new Nobody();
  assertEquals(await nobody.program.run("--internal-mount", "/nix.qcow2", "/"), {
    code: 32,
    stdout: "",
    stderr: "tslosetup: only root can mount an image, also where fstab(5) says user or users\n",
  });
});
