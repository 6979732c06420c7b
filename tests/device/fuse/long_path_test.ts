// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { DeepFolder } from "../../support/deep_folder.ts";
import { must, run } from "../../support/tools.ts";
import { deviceTest, FUSE } from "./device.ts";

deviceTest(
  "a device over FUSE shows an image whose path is too long for the kernel",
  ["bash", "qemu-img"],
  async () => {
    using deep = await DeepFolder.make();
    await deep.run("qemu-img", "create", "-q", "-f", "qcow2", "disk.qcow2", "1M");
    const program = asRoot();
    const words = [...FUSE, "-r", "-t", "QCOW", "--find", "--show", "disk.qcow2"];
    const device = (await deep.run(...program.command, ...words)).trim();
    let isAttached = true;
    try {
      const image = `${deep.path}/disk.qcow2`;
      const listed = await program.must("-nO", "BACK-FILE,FILE-FORMAT", device);
      assertEquals(listed, `${image} QCOW\n`);
      const stock = (await must("losetup", "-nO", "BACK-FILE", device)).trim();
      assert(stock.startsWith("/") && image.endsWith(stock), stock);
      await program.must("-d", device);
      isAttached = false;
      assertEquals(program.processes(), []);
    } finally {
      if (isAttached) await run("losetup", "-d", device);
    }
  },
);
