// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededBytes } from "../../nbd/served_image.ts";
import { NbdClient } from "../../integration/nbd_client.ts";
import { eventually } from "../../support/patience.ts";
import { DeafDaemon } from "../../support/deaf_daemon.ts";
import { asRoot, ExportedImage, statesIn } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, isAttached, makeSparse, MIB } from "./device.ts";

const LOST = /^tslosetup: .*: detached, but the last writes may not have reached the disk\n$/;

/** A block device that takes more than it can keep: a loop device over a file that cannot grow. */
class SmallDisk implements AsyncDisposable {
  readonly #folder = new TempDirectory();
  path = "";

  static async create(): Promise<SmallDisk> {
    const disk = new SmallDisk();
    const folder = disk.#folder.path;
    await must("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", folder);
    makeSparse(`${folder}/disk`, 64 * MIB);
    disk.path = (await must("losetup", "--find", "--show", `${folder}/disk`)).trim();
    return disk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("losetup", "-d", this.path);
    await run("umount", "--lazy", this.#folder.path);
    this.#folder[Symbol.dispose]();
  }
}

deviceTest("-d of a socket fails where the last writes are lost", ["mount"], async () => {
  using folder = new TempDirectory();
  await using disk = await SmallDisk.create();
  await using exported = await ExportedImage.attach({ folder, image: disk.path });
  using client = await NbdClient.connect(exported.socket);
  await client.write(0, seededBytes(4 * MIB, 1));
  const { code, stderr } = await exported.program.run("-d", exported.socket);
  assertEquals(code, 1);
  assertMatch(stderr, LOST);
  assert(exported.isGone);
});

deviceTest("-d of a device fails where the last writes are lost", ["mount", "dd"], async () => {
  await using disk = await SmallDisk.create();
  await using device = await Device.attach(disk.path);
  await must("dd", "if=/dev/urandom", `of=${device.path}`, "bs=1M", "count=4", "status=none");
  const { code, stderr } = await device.program.run("-d", device.path);
  assertEquals(code, 1);
  assertMatch(stderr, LOST);
  await device.gone();
});

deviceTest("-d says of a dead daemon's device that it is still open", [], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), MIB), "--no-revive");
  const opened = Deno.openSync(device.path);
  device.kill("SIGKILL");
  const first = await device.program.run("-d", device.path);
  assertEquals(first.code, 0);
  assertMatch(
    first.stderr,
    /: warning: still open; it is detached when its last user closes it\n$/,
  );
  const listed = await device.program.run("-l", device.path);
  assertMatch(listed.stderr, /is gone and all access fails; it is detached when its last user/);
  opened.close();
  await eventually(() => !device.isAttached, "the device to go");
  await device.program.must("-l");
  await device.gone();
});

deviceTest(
  "-d --force ends a daemon that does not answer, in use or not",
  ["mkfs.ext4"],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 4 * MIB);
    await must("mkfs.ext4", "-q", "-F", image);
    for (const isMounted of [true, false]) {
      const device = (await must("losetup", "--find", "--show", image)).trim();
      const mountPoint = folder.file("mount");
      Deno.mkdirSync(mountPoint, { recursive: true });
      if (isMounted) await must("mount", "-o", "ro", device, mountPoint);
      using daemon = new DeafDaemon({ device, transport: "fuse", image });
      const { code, stderr } = await daemon.program.run("-d", "--force", device);
      if (isMounted) await must("umount", mountPoint);
      assertEquals(code, 0, stderr);
      assertMatch(stderr, /: warning: gave up on its daemon \(pid \d+\)$/m);
      assert(!daemon.isRunning);
      // Somebody may be looking at it at that moment.
      await eventually(() => !isAttached(device), `${device} to go`);
      // Of one that was in use, a listing clears it away.
      await daemon.program.must("-l");
      assertEquals(statesIn(daemon.program.stateDirectory), []);
    }
  },
);

deviceTest("-d --force of a device in use is lazy where its daemon does its work", [
  "mkfs.ext4",
], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 4 * MIB);
  await must("mkfs.ext4", "-q", "-F", image);
  await using device = await Device.attach(image);
  await device.mount(folder.file("mount"));
  Deno.writeTextFileSync(folder.file("mount/before"), "before");
  assertEquals((await device.program.run("-d", "--force", device.path)).code, 0);
  Deno.writeTextFileSync(folder.file("mount/after"), "after");
  assertEquals((await asRoot().must("--raw", "-n", "-O", "AUTOCLEAR", device.path)).trim(), "1");
  await device.unmount(folder.file("mount"));
  await device.gone();
});
