// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { openImageFile, readRange, sameBytes } from "../opened_image.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const REQUEST = { format: "VMDK", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

/** The whole disk, as the program reads it. */
function read(path: string): Uint8Array {
  using access = openImage(openImageFile(path), REQUEST);
  return readDisk(access, 0, access.sizeBytes);
}

const VARIANTS = [
  "subformat=monolithicSparse",
  "subformat=monolithicSparse,zeroed_grain=on",
  "subformat=monolithicSparse,compat6=on",
  "subformat=monolithicFlat",
  "subformat=twoGbMaxExtentSparse",
  "subformat=twoGbMaxExtentFlat",
];

for (const options of VARIANTS) {
  oracleTest(`vmdk and qemu agree on ${options}`, IMAGE_TOOLS, async () => {
    for (const [seed, sizeBytes] of [512, MIB, 40 * MIB + 512].entries()) {
      using folder = new TempDirectory();
      const path = folder.file("disk.vmdk");
      const raw = folder.file("disk.raw");
      await must("qemu-img", "create", "-q", "-f", "vmdk", "-o", options, path, `${sizeBytes}`);
      await fillDisk(path, "vmdk", { sizeBytes, seed });
      await must("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, raw);
      const ours = read(path);
      assertEquals(ours.length, sizeBytes);
      assert(sameBytes(ours, readRange(raw, 0, sizeBytes)));
    }
  });
}

for (const kind of ["Sparse", "Flat"]) {
  oracleTest(`vmdk and qemu agree on several pieces: ${kind}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.vmdk");
    const options = `subformat=twoGbMaxExtent${kind}`;
    await must("qemu-img", "create", "-q", "-f", "vmdk", "-o", options, path, `${5 * GIB + 512}`);
    const places = [0, 2 * GIB - MIB, 4 * GIB - 512, 5 * GIB - 512];
    const writes = places.flatMap((at, n) => ["-c", `write -P ${n + 1} ${at} 1024`]);
    await must("qemu-io", "-f", "vmdk", ...writes, path);
    using access = openImage(openImageFile(path), REQUEST);
    assertEquals(access.sizeBytes, 5 * GIB + 512);
    for (const [n, at] of places.entries()) {
      assertEquals(readDisk(access, at, 1024), new Uint8Array(1024).fill(n + 1));
    }
    assertEquals(readDisk(access, GIB, 512), new Uint8Array(512));
  });
}

virtualBoxTest("vmdk and VirtualBox agree on images that VirtualBox makes", async (box) => {
  const sizeBytes = 5 * MIB;
  const raw = box.file("disk.raw");
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 5 });
  for (const variant of ["Standard", "Fixed", "Split2G"]) {
    const path = box.file(`${variant}.vmdk`);
    await box.convert(raw, "RAW", path, "--dstformat", "VMDK", "--variant", variant);
    assert(sameBytes(read(path), readRange(raw, 0, sizeBytes)), variant);
  }
});
