// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { IMAGE_TOOLS, imageMatrix, randomNumbers, type TestImage } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { checkRange, OpenedImage } from "../opened_image.ts";
import { checkMap } from "./qemu_map.ts";

const CHUNK_BYTES = 1024 * 1024;

oracleTest("qcow reads what qemu reads, and maps what qemu maps", IMAGE_TOOLS, async (t) => {
  using folder = new TempDirectory();
  const kinds = new Set<Extent>();
  for await (const made of imageMatrix(folder.path)) {
    await t.step(made.name, async () => {
      using opened = new OpenedImage(made.path, qcow);
      assertEquals(opened.image.sizeBytes, made.sizeBytes);
      checkBytes(opened, made);
      for (const run of opened.extents(0, made.sizeBytes)) kinds.add(run.mapping.kind);
      await checkMap(opened, made.path);
    });
    Deno.removeSync(made.path);
    Deno.removeSync(made.rawPath);
  }
  assertEquals(kinds, new Set([Extent.Data, Extent.Zero, Extent.Backing, Extent.Packed]));
});

/** The whole disk in large requests, then some small ones in any order. */
function checkBytes(opened: OpenedImage, made: TestImage): void {
  for (let offset = 0; offset < made.sizeBytes; offset += CHUNK_BYTES) {
    checkRange(opened, made.rawPath, [offset, Math.min(CHUNK_BYTES, made.sizeBytes - offset)]);
  }
  const random = randomNumbers(made.seed);
  for (let i = 0; i < 50; i++) {
    const offset = Math.floor(random() * made.sizeBytes);
    const lengthBytes = Math.min(1 + Math.floor(random() * 10_000), made.sizeBytes - offset);
    checkRange(opened, made.rawPath, [offset, lengthBytes]);
  }
}

oracleTest("qcow maps a disk of 1 TiB with few extents as qemu does", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("sparse.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", path, "1T");
  const commands = ["write 0 1M", "write 300G 70k", "write -c 301G 64k", "write -z 900G 1G"];
  await must("qemu-io", "-f", "qcow2", ...commands.flatMap((line) => ["-c", line]), path);
  using opened = new OpenedImage(path, qcow);
  assertEquals(opened.image.sizeBytes, 2 ** 40);
  await checkMap(opened, path);
});
