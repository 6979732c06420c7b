/**
 * A daemon that is killed right after it was told that something could not be written: the next one knows it.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { isLinuxSince } from "../../../src/kernel/release.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { TracedProcess } from "../../crash/traced_process.ts";
import { eventually } from "../../support/patience.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

/** A disk that has less room than it says: what is written to it is lost once that is full. */
class FullDisk implements AsyncDisposable {
  readonly #folder = new TempDirectory();
  #device = "";

  static async make(): Promise<FullDisk> {
    const disk = new FullDisk();
    await must("mount", "-t", "tmpfs", "-o", "size=1M", "none", disk.#folder.path);
    const file = makeSparse(disk.#folder.file("file"), 16 * MIB);
    disk.#device = (await must("losetup", "--find", "--show", file)).trim();
    return disk;
  }

  get path(): string {
    return this.#device;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#device !== "") await run("losetup", "-d", this.#device);
    await run("umount", "--lazy", this.#folder.path);
    this.#folder[Symbol.dispose]();
  }
}

async function isSynced(path: string): Promise<boolean> {
  return (await run("sync", path)).code === 0;
}

deviceTest(
  "that something was lost is known, though who was told was killed at once",
  ["mount", "strace", "dd"],
  async () => {
    await using disk = await FullDisk.make();
    using folder = new TempDirectory();
    await using device = await Device.attach(disk.path, "-t", "RAW");
    await must("dd", "if=/dev/zero", `of=${folder.file("zeros")}`, "bs=1M", "count=8");
    const log = folder.file("calls");
    {
      await using _traced = await TracedProcess.slowReturn(device.pid, log, "fdatasync");
      const written = run(
        ...["dd", `if=${folder.file("zeros")}`, `of=${device.path}`, "bs=1M"] as const,
        ...["oflag=direct", "conv=notrunc,fsync"],
      );
      await eventually(() => /fdatasync\(.*EIO/.test(Deno.readTextFileSync(log)), "a failure");
      await device.killAndRevive();
      assertNotEquals((await written).code, 0);
    }
    assertEquals(await isSynced(device.path), false);
    assert(device.isAttached);
  },
  { obstacle: isLinuxSince(6, 9) ? undefined : "no FUSE_NOTIFY_RESEND before Linux 6.9" },
);
