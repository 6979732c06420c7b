// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { ENTRY_ZERO, HEADER } from "../../../src/format/vdi/layout.ts";
import { vdi } from "../../../src/format/vdi/mod.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "../qcow/qemu_map.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "VDI", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const VARIANTS = [["dynamic", "static=off"], ["fixed", "static=on"]] as const;
const SIZES = [512, MIB, 7 * MIB + 512, 20 * MIB] as const;

for (const [name, option] of VARIANTS) {
  oracleTest(`vdi and qemu agree on ${name} images`, IMAGE_TOOLS, async () => {
    for (const [seed, sizeBytes] of SIZES.entries()) {
      using folder = new TempDirectory();
      const path = folder.file("disk.vdi");
      const raw = folder.file("disk.raw");
      const size = `${sizeBytes}`;
      await must("qemu-img", "create", "-q", "-f", "vdi", "-o", option, path, size);
      await fillDisk(path, "vdi", { sizeBytes, seed });
      await must("qemu-img", "convert", "-f", "vdi", "-O", "raw", path, raw);
      using image = new OpenedImage(path, vdi);
      assertEquals(image.image.sizeBytes, sizeBytes);
      assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
      if (name === "dynamic") await checkMap(image, path, "vdi");
    }
  });
}

/** The whole disk, as the program reads it. */
function read(path: string): Uint8Array {
  using access = openImage(openImageFile(path), REQUEST);
  return readDisk(access, 0, access.sizeBytes);
}

virtualBoxTest("vdi and VirtualBox agree on images that VirtualBox makes", async (box) => {
  const sizeBytes = 5 * MIB;
  const raw = box.file("disk.raw");
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 5 });
  for (const variant of ["Standard", "Fixed"]) {
    const path = box.file(`${variant}.vdi`);
    await box.convert(raw, "RAW", path, "--dstformat", "VDI", "--variant", variant);
    assert(sameBytes(read(path), readRange(raw, 0, sizeBytes)), variant);
  }
});

virtualBoxTest("vdi and VirtualBox agree on a chain of three", async (box) => {
  const sizeBytes = 6 * MIB;
  const [base, child, top] = ["base.vdi", "child.vdi", "top.vdi"].map((name) => box.file(name)) as [
    string,
    string,
    string,
  ];
  await must("qemu-img", "create", "-q", "-f", "vdi", base, `${sizeBytes}`);
  await fillDisk(base, "vdi", { sizeBytes, seed: 7 });
  await box.child(child, base, "VDI");
  addBlock(child, { block: 1, byte: 0xc1 });
  setEntry(child, 2, ENTRY_ZERO);
  await box.child(top, child, "VDI");
  addBlock(top, { block: 4, byte: 0xd4 });
  addBlock(top, { block: 0, byte: 0xd0 });
  setEntry(top, 5, ENTRY_ZERO);
  const ours = read(top);
  const raw = await box.rawCopy(top);
  assertEquals(ours.length, sizeBytes);
  assert(sameBytes(ours, readRange(raw, 0, sizeBytes)));
  assertEquals([0, 1, 2, 4, 5].map((block) => ours[block * MIB + 5]), [0xd0, 0xc1, 0, 0xd4, 0]);
});

/** Gives a block of a disk a place behind all others, as VirtualBox does when it is written to. */
function addBlock(path: string, { block, byte }: { block: number; byte: number }): void {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const { offset_data, block_size, blocks_allocated } = HEADER.read(view, 0);
  HEADER.write(view, 0, { blocks_allocated: blocks_allocated + 1 });
  const end = offset_data + (blocks_allocated + 1) * block_size;
  const longer = new Uint8Array(end);
  longer.set(bytes.subarray(0, end));
  longer.fill(byte, end - block_size);
  Deno.writeFileSync(path, longer);
  setEntry(path, block, blocks_allocated);
}

function setEntry(path: string, block: number, entry: number): void {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.read(view, 0).offset_blocks + 4 * block, entry, true);
  Deno.writeFileSync(path, bytes);
}
