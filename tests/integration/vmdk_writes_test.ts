// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { checkTwins } from "./twin_images.ts";

const MIB = 1024 * 1024;

for (const grains of ["off", "on"]) {
  oracleTest(
    `a VMDK image is written to as its twin is by qemu: zeroed_grain=${grains}`,
    IMAGE_TOOLS,
    async () => {
      const options = `subformat=monolithicSparse,zeroed_grain=${grains}`;
      await checkTwins({ format: "VMDK", driver: "vmdk", options, sizeBytes: 16 * MIB });
    },
  );
}

for (const [kind, piece] of [["Sparse", "s001"], ["Flat", "f001"]] as const) {
  oracleTest(`pieces of a VMDK image are locked and written to: ${kind}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.vmdk");
    const options = `subformat=twoGbMaxExtent${kind}`;
    await must("qemu-img", "create", "-q", "-f", "vmdk", "-o", options, path, `${4 * MIB}`);
    await using exported = await ExportedImage.attach({
      folder,
      image: path,
      options: ["-t", "auto"],
    });
    assertEquals(exported.attached.stderr, "");
    const words = ["write -P 1 1M 2M", "write -z 2M 64k", "flush"].flatMap((word) => ["-c", word]);
    await must("qemu-io", "-f", "raw", ...words, exported.uri);
    for (const name of ["disk.vmdk", `disk-${piece}.vmdk`]) {
      const { stderr } = await run("qemu-io", "-f", "raw", "-c", "write 0 512", folder.file(name));
      assertStringIncludes(stderr, "lock", name);
    }
    await exported.detach();
    await must("qemu-img", "check", "-q", "-f", "vmdk", path);
    const reads = ["read -P 0 0 1M", "read -P 1 1M 1M", "read -P 0 2M 64k", "read -P 1 2112k 960k"];
    const out = await must("qemu-io", "-f", "vmdk", ...reads.flatMap((r) => ["-c", r]), path);
    assertEquals(out.includes("failed"), false, out);
  });
}

oracleTest("a VMDK image that is only read is a read-only device", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.vmdk");
  Deno.writeTextFileSync(path, "version=1\nRW 8 ZERO\n");
  await using exported = await ExportedImage.attach({
    folder,
    image: path,
    options: ["-t", "VMDK"],
  });
  const warning = "extents of the type ZERO are not written to: the device is read-only";
  assertStringIncludes(exported.attached.stderr, warning);
  await exported.detach();
});
