// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { must, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, FUSE } from "./device.ts";

/** A QCOW image with a snapshot, on top of another one. */
async function makeImage(folder: TempDirectory): Promise<string> {
  const [image, base] = [folder.file("image"), folder.file("base")];
  await must("qemu-img", "create", "-q", "-f", "qcow2", base, "1M");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image);
  await must("qemu-img", "snapshot", "-c", "before", image);
  return image;
}

/** What has one image show different disks. */
const VIEWS: readonly (readonly string[])[] = [
  [],
  ["--snapshot", "before"],
  ["--no-backing"],
  ["--backing-fmt", "RAW"],
  ["--force"],
];

for (const view of VIEWS) {
  const name = view.join(" ") || "no option";
  deviceTest(`a device made with ${name} is re-used for just that`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const image = await makeImage(folder);
    await using device = await Device.attach(image, "-r", "-t", "QCOW", ...view);
    for (const other of VIEWS) {
      const words = [...FUSE, "-L", "-r", "--find", "--show", "-t", "QCOW", ...other, image];
      const { code, stdout, stderr } = await device.program.run(...words);
      const isSame = other === view;
      assertEquals([code, stdout.trim()], isSame ? [0, device.path] : [1, ""], stderr);
      if (!isSame) assertStringIncludes(stderr, "overlapping loop device exists");
    }
  });
}

deviceTest(
  "a device of version 1 is re-used by whatever name it is found",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("image");
    await must("qemu-img", "create", "-q", "-f", "qcow", image, "1M");
    await using device = await Device.attach(image, "-r", "-t", "QCOW");
    for (const format of ["QCOW", "QCOW1", "auto"]) {
      const words = [...FUSE, "-L", "-r", "--find", "--show", "-t", format, image];
      assertEquals(await device.program.must(...words), `${device.path}\n`);
    }
    const { code, stderr } = await device.program.run(...FUSE, "-L", "-r", "--find", image);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "overlapping loop device exists");
  },
);
