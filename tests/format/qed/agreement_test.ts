// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { qed } from "../../../src/format/qed/mod.ts";
import { RelatedFileError } from "../../../src/image/errors.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "../qcow/qemu_map.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "QED", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const OPTIONS = [
  "cluster_size=4k,table_size=2",
  "cluster_size=64k",
  "cluster_size=1M,table_size=2",
];

for (const option of OPTIONS) {
  oracleTest(`qed and qemu agree on images with ${option}`, IMAGE_TOOLS, async () => {
    for (const [seed, sizeBytes] of [512, 7 * MIB + 512].entries()) {
      using folder = new TempDirectory();
      const [path, raw] = [folder.file("disk.qed"), folder.file("disk.raw")];
      await must("qemu-img", "create", "-q", "-f", "qed", "-o", option, path, `${sizeBytes}`);
      await fillDisk(path, "qed", { sizeBytes, seed });
      await must("qemu-img", "convert", "-f", "qed", "-O", "raw", path, raw);
      using image = new OpenedImage(path, qed);
      assertEquals(image.image.sizeBytes, sizeBytes);
      assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
      await checkMap(image, path, "qed");
    }
  });
}

/** The whole disk, as the program reads it. */
function read(path: string, more: { readonly backingFormat?: string } = {}): Uint8Array {
  using access = openImage(openImageFile(path), { ...REQUEST, ...more });
  return readDisk(access, 0, access.sizeBytes);
}

oracleTest(
  "qed and qemu agree on chains, with zeros over what lies below",
  IMAGE_TOOLS,
  async () => {
    const sizeBytes = 3 * MIB;
    using folder = new TempDirectory();
    const [base, child, top] = ["base.raw", "child.qed", "top.qed"].map((name) =>
      folder.file(name)
    ) as [
      string,
      string,
      string,
    ];
    // What it begins with does not matter, as the image above says that it is raw.
    await must("qemu-img", "create", "-q", "-f", "qcow2", base, "64k");
    await must("qemu-img", "resize", "-q", "-f", "raw", base, "2M");
    await must("qemu-io", "-f", "raw", "-c", "write -P 1 512k 1M", base);
    const create = ["create", "-q", "-f", "qed", "-b"];
    await must("qemu-img", ...create, "base.raw", "-F", "raw", child, `${sizeBytes}`);
    await must("qemu-io", "-f", "qed", "-c", "write -z 512k 256k", "-c", "write -P 2 1M 5k", child);
    await must("qemu-img", ...create, "child.qed", "-F", "qed", top);
    await must("qemu-io", "-f", "qed", "-c", "write -P 3 2M 5k", "-c", "write -z 1M 64k", top);
    const raw = folder.file("disk.raw");
    await must("qemu-img", "convert", "-f", "qed", "-O", "raw", top, raw);
    assert(sameBytes(read(top, { backingFormat: "QED" }), readRange(raw, 0, sizeBytes)));
    assert(sameBytes(read(top, { backingFormat: "auto" }), readRange(raw, 0, sizeBytes)));
    assertThrows(() => read(top), RelatedFileError, "its format is not recorded");
  },
);

virtualBoxTest("qed and VirtualBox agree on images that VirtualBox makes", async (box) => {
  const sizeBytes = 5 * MIB;
  const [raw, path] = [box.file("disk.raw"), box.file("disk.qed")];
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 5 });
  await box.convert(raw, "RAW", path, "--dstformat", "QED");
  assert(sameBytes(read(path), readRange(raw, 0, sizeBytes)));
});
