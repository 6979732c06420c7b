// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

async function sizeOf(device: string): Promise<number> {
  return Number(await must("blockdev", "--getsize64", device));
}

deviceTest(
  "--resize has a mounted QCOW device grow, and then its file system",
  ["qemu-img", "mkfs.ext4", "e2fsck", "resize2fs", "mount"],
  async () => {
    using folder = new TempDirectory();
    const [image, mnt] = [folder.file("image.qcow2"), folder.file("mnt")];
    await must("qemu-img", "create", "-q", "-f", "qcow2", image, "64M");
    Deno.mkdirSync(mnt);
    await using device = await Device.attach(image, "-t", "QCOW");
    await must("mkfs.ext4", "-q", device.path);
    await device.mount(mnt);
    Deno.writeFileSync(`${mnt}/file`, new Uint8Array(MIB).fill(5));
    await device.program.must("--resize", "1GiB", device.path);
    assertEquals(await sizeOf(device.path), 1024 * MIB);
    // A file system that is mounted could grow, too, but not without CAP_SYS_RESOURCE.
    await device.unmount(mnt);
    await must("e2fsck", "-f", "-p", device.path);
    await must("resize2fs", device.path);
    await device.mount(mnt);
    assertEquals(Deno.readFileSync(`${mnt}/file`), new Uint8Array(MIB).fill(5));
    Deno.writeFileSync(`${mnt}/large`, new Uint8Array(100 * MIB).fill(6));
    await device.unmount(mnt);
    await must("e2fsck", "-f", "-n", device.path);
    await device.detach();
    await device.gone();
    const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
    assertEquals(code, 0, stdout);
  },
);

deviceTest("--resize takes plain loop devices, too", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 4 * MIB);
  const path = (await must("losetup", "--find", "--show", image)).trim();
  try {
    const { code, stderr } = await asRoot().run("--resize", "+4M", path);
    assertEquals(`${code} ${stderr}`, "0 ");
    assertEquals(await sizeOf(path), 8 * MIB);
    assertEquals(Deno.statSync(image).size, 8 * MIB);
    const smaller = await asRoot().run("--resize", "1M", path);
    assertEquals(smaller.code, 1);
    assertMatch(smaller.stderr, /it has 8388608 bytes, and is not made smaller/);
  } finally {
    await must("losetup", "-d", path);
  }
});
