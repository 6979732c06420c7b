/**
 * File systems on devices that have overlays.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertLess, assertMatch, assertNotEquals } from "@std/assert";
import { must, run, runPatiently, TempDirectory } from "../../support/tools.ts";
import { checksums, Device, deviceTest, KIB, makeSparse, MIB, writeFiles } from "./device.ts";

/** What the overlays of a daemon take in memory. */
function overlayBytes(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)]
    .map(({ name }) => `/proc/${pid}/fd/${name}`)
    .filter((path) => Deno.readLinkSync(path).includes("tslosetup overlay"))
    .reduce((sum, path) => sum + (Deno.statSync(path).blocks ?? 0) * 512, 0);
}

/** What changes of a file would show in. */
async function traceOf(path: string): Promise<string> {
  const { mtime, size, blocks } = Deno.statSync(path);
  return `${await must("sha256sum", path)} ${mtime?.getTime()} ${size} ${blocks}`;
}

deviceTest(
  "eight devices share a compressed image, each with an ext4 of its own in memory",
  ["mkfs.ext4", "e2fsck", "qemu-img", "mount"],
  async () => {
    using folder = new TempDirectory();
    const [raw, image] = [folder.file("raw"), folder.file("image")];
    await must("mkfs.ext4", "-q", makeSparse(raw, 64 * MIB));
    await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", raw, image);
    const before = await traceOf(image);
    await using stack = new AsyncDisposableStack();
    const devices: Device[] = [];
    for (let n = 0; n < 8; n++) {
      const options = ["-t", "QCOW", "--overlay=ram"];
      const device = stack.use(await Device.attach(image, ...options));
      devices.push(device);
      Deno.mkdirSync(folder.file(`tree${n}`));
      writeFiles(folder.file(`tree${n}`), 4 * MIB, n + 1);
    }
    // Only now: what is started in a mount namespace of its own keeps what is mounted already.
    for (const [n, device] of devices.entries()) await device.mount(folder.file(`mnt${n}`));
    const write = (n: number): Promise<string> => {
      const [tree, mnt] = [folder.file(`tree${n}`), folder.file(`mnt${n}`)];
      return must("sh", "-c", `cp -r ${tree}/. ${mnt} && sync --file-system ${mnt}`);
    };
    await Promise.all(devices.map((_, n) => write(n)));
    for (const [n, device] of devices.entries()) {
      const mnt = folder.file(`mnt${n}`);
      assertEquals(await checksums(mnt), await checksums(folder.file(`tree${n}`)));
      const written = Number(device.attribute("stat").split(/\s+/)[6]) * 512;
      // What is written over again takes nothing more; what is not written in pages, up to a page.
      assertLess(overlayBytes(device.pid), written + 256 * KIB);
      await device.unmount(mnt);
    }
    for (const device of devices) {
      await must("e2fsck", "-f", "-n", device.path);
      await device.detach();
      await device.gone();
    }
    assertEquals(await traceOf(image), before);
  },
);

/** File systems, and how large their disks have to be. */
const CRASHED = [
  { type: "ext4", tool: "mkfs.ext4", options: ["-q"], size: 64 * MIB },
  { type: "xfs", tool: "mkfs.xfs", options: ["-q"], size: 320 * MIB },
  { type: "btrfs", tool: "mkfs.btrfs", options: ["-q"], size: 160 * MIB },
] as const;

for (const { type, tool, options, size } of CRASHED) {
  deviceTest(
    `the disk of a crashed machine with ${type} can be mounted, and shows what was synced last`,
    [tool, "qemu-img", "mount"],
    async () => {
      using folder = new TempDirectory();
      const { crashed, tree } = await crashedDisk(folder, { tool, options, size });
      const image = folder.file("image");
      await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", crashed, image);
      const before = await traceOf(image);
      const mnt = folder.file("mnt");
      {
        await using device = await Device.attach(image, "-r", "-t", "QCOW");
        const { code, stderr } = await run("mount", "-o", "ro", device.path, mnt);
        assertNotEquals(code, 0, "a journal has been replayed on a read-only device");
        assert(stderr !== "");
      }
      await using device = await Device.attach(image, "-t", "QCOW", "--overlay");
      await device.mount(mnt, "-o", "ro");
      assertEquals(await checksums(mnt), await checksums(tree));
      await device.unmount(mnt);
      await device.detach();
      await device.gone();
      assertEquals(await traceOf(image), before);
    },
  );
}

interface FileSystem {
  readonly tool: string;
  readonly options: readonly string[];
  readonly size: number;
}

/** A copy of a disk, made while its file system was mounted, and what had just been synced there. */
async function crashedDisk(
  folder: TempDirectory,
  { tool, options, size }: FileSystem,
): Promise<{ readonly crashed: string; readonly tree: string }> {
  const [disk, crashed] = [folder.file("disk"), folder.file("crashed")];
  const [mnt, tree] = [folder.file("mnt"), folder.file("tree")];
  await must(tool, ...options, makeSparse(disk, size));
  Deno.mkdirSync(tree);
  writeFiles(tree, 8 * MIB, 3);
  await using device = await Device.attach(disk, "-t", "RAW");
  await device.mount(mnt);
  await must("sh", "-c", `cp -r ${tree}/. ${mnt} && sync --file-system ${mnt}`);
  for (const target of [mnt, tree]) {
    const last = `of=${target}/last`;
    await must("dd", "if=/dev/zero", last, "bs=64K", "count=3", "conv=fsync", "status=none");
  }
  await must("cp", "--sparse=always", disk, crashed);
  await device.unmount(mnt);
  await device.detach();
  return { crashed, tree };
}

deviceTest(
  "a file system that fills its overlay goes on after fstrim",
  ["mkfs.ext4", "fstrim", "mount"],
  async () => {
    using folder = new TempDirectory();
    const [image, mnt] = [folder.file("image"), folder.file("mnt")];
    // A journal that cannot be written would end all writing.
    await must("mkfs.ext4", "-q", "-O", "^has_journal", makeSparse(image, 128 * MIB));
    const options = ["--overlay=ram", "--overlay-size", "32M"];
    await using device = await Device.attach(image, ...options);
    await device.mount(mnt, "-o", "errors=continue");
    const fill = (name: string, mebibytes: number): Promise<{ code: number; stderr: string }> => {
      const what = ["if=/dev/urandom", `of=${mnt}/${name}`, "bs=1M", `count=${mebibytes}`];
      return runPatiently("dd", ...what, "oflag=direct", "status=none");
    };
    assertEquals((await fill("first", 16)).code, 0);
    const first = (await checksums(mnt)).get("first");
    const { code, stderr } = await fill("second", 64);
    assertEquals(code, 1);
    assertMatch(stderr, /No space left|Input\/output error/);
    Deno.removeSync(`${mnt}/second`);
    await must("fstrim", mnt);
    const third = await fill("third", 8);
    assertEquals(third.code, 0, third.stderr);
    const sums = await checksums(mnt);
    assertEquals(sums.get("first"), first);
    await device.unmount(mnt);
    await device.mount(mnt);
    assertEquals(await checksums(mnt), sums);
    await device.unmount(mnt);
  },
);
