// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { parallels } from "../../../src/format/parallels/mod.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { OpenedImage, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "../qcow/qemu_map.ts";

const MIB = 1024 * 1024;

for (const option of ["cluster_size=4k", "cluster_size=1M", "cluster_size=3145728"]) {
  oracleTest(`parallels and qemu agree on images with ${option}`, IMAGE_TOOLS, async () => {
    for (const [seed, sizeBytes] of [512, 7 * MIB + 512].entries()) {
      using folder = new TempDirectory();
      const [path, raw] = [folder.file("disk.hds"), folder.file("disk.raw")];
      await must("qemu-img", "create", "-q", "-f", "parallels", "-o", option, path, `${sizeBytes}`);
      await fillDisk(path, "parallels", { sizeBytes, seed });
      await must("qemu-img", "convert", "-f", "parallels", "-O", "raw", path, raw);
      using image = new OpenedImage(path, parallels);
      assertEquals(image.image.sizeBytes, sizeBytes);
      assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
      await checkMap(image, path, "parallels");
    }
  });
}

virtualBoxTest("parallels and VirtualBox agree on images that VirtualBox makes", async (box) => {
  const sizeBytes = 5 * MIB;
  const [raw, path] = [box.file("disk.raw"), box.file("disk.hdd")];
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 5 });
  await box.convert(raw, "RAW", path, "--dstformat", "Parallels");
  using image = new OpenedImage(path, parallels);
  assertEquals(image.image.sizeBytes, sizeBytes);
  assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
});
