// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { DYNAMIC_HEADER, ENTRY_NONE, FOOTER_BYTES } from "../../../src/format/vhd/layout.ts";
import { vhd } from "../../../src/format/vhd/mod.ts";
import { RelatedFileError } from "../../../src/image/errors.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "../qcow/qemu_map.ts";
import { HEADER } from "./image_builder.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "VHD", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const VARIANTS = [
  "subformat=dynamic",
  "subformat=dynamic,force_size=on",
  "subformat=fixed",
  "subformat=fixed,force_size=on",
] as const;
const SIZES = [512, 2 * MIB, 7 * MIB + 512, 20 * MIB] as const;

for (const options of VARIANTS) {
  oracleTest(`vhd and qemu agree on images with ${options}`, IMAGE_TOOLS, async () => {
    for (const [seed, wantedBytes] of SIZES.entries()) {
      using folder = new TempDirectory();
      const path = folder.file("disk.vhd");
      const raw = folder.file("disk.raw");
      const size = `${wantedBytes}`;
      await must("qemu-img", "create", "-q", "-f", "vpc", "-o", options, path, size);
      await fillDisk(path, "vpc", { sizeBytes: wantedBytes, seed });
      await must("qemu-img", "convert", "-f", "vpc", "-O", "raw", path, raw);
      using image = new OpenedImage(path, vhd);
      const { sizeBytes } = image.image;
      assertEquals(sizeBytes, Deno.statSync(raw).size);
      assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
      if (options.startsWith("subformat=dynamic")) await checkMap(image, path, "vpc");
    }
  });
}

/** The whole disk, as the program reads it. */
function read(path: string, more: { force?: boolean } = {}): Uint8Array {
  using access = openImage(openImageFile(path), { ...REQUEST, ...more });
  return readDisk(access, 0, access.sizeBytes);
}

/** qemu 7.2 would cut these to whole cylinders. */
virtualBoxTest("vhd and VirtualBox agree on images that VirtualBox makes", async (box) => {
  const sizeBytes = 5 * MIB;
  const raw = box.file("disk.raw");
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 5 });
  for (const variant of ["Standard", "Fixed"]) {
    const path = box.file(`${variant}.vhd`);
    await box.convert(raw, "RAW", path, "--dstformat", "VHD", "--variant", variant);
    assert(sameBytes(read(path), readRange(raw, 0, sizeBytes)), variant);
  }
});

/** qemu would show zeros for all that is in the parents. */
virtualBoxTest("vhd and VirtualBox agree on a chain of three", async (box) => {
  const sizeBytes = 7 * MIB;
  const raw = box.file("disk.raw");
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 7 });
  const base = box.file("base.vhd");
  const child = box.file("child.vhd");
  const top = box.file("top.vhd");
  await box.convert(raw, "RAW", base, "--dstformat", "VHD");
  await box.child(child, base, "VHD");
  addBlock(child, { block: 1, byte: 0xc1, sectors: [0, 1, 2, 9, 100, 4094, 4095] });
  addBlock(child, { block: 0, byte: 0xc0, sectors: [7, 8] });
  await box.child(top, child, "VHD");
  addBlock(top, { block: 1, byte: 0xd1, sectors: [2, 3, 2000] });
  addBlock(top, { block: 3, byte: 0xd3, sectors: [0, 2047] });
  const ours = read(top);
  const theirs = await box.rawCopy(top);
  assertEquals(ours.length, sizeBytes);
  assert(sameBytes(ours, readRange(theirs, 0, sizeBytes)));
  const sector = (block: number, index: number): number | undefined =>
    ours[2 * MIB * block + 512 * index];
  assertEquals([sector(1, 1), sector(1, 2), sector(1, 4095), sector(3, 0)], [
    0xc1,
    0xd1,
    0xc1,
    0xd3,
  ]);
});

interface NewBlock {
  readonly block: number;
  readonly byte: number;
  /** Those that the image has itself. */
  readonly sectors: readonly number[];
}

/** Puts a block in front of the footer, as VirtualBox does when it is written to. */
function addBlock(path: string, { block, byte, sectors }: NewBlock): void {
  const bytes = Deno.readFileSync(path);
  const { table_offset } = DYNAMIC_HEADER.read(new DataView(bytes.buffer), HEADER);
  const start = bytes.length - FOOTER_BYTES;
  const entry = Number(table_offset) + 4 * block;
  const longer = new Uint8Array(bytes.length + 512 + 2 * MIB);
  longer.set(bytes);
  longer.fill(0, start);
  for (const sector of sectors) {
    const at = start + Math.floor(sector / 8);
    longer[at] = (longer[at] ?? 0) | 0x80 >> sector % 8;
    const data = start + 512 + 512 * sector;
    longer.fill(byte, data, data + 512);
  }
  longer.set(bytes.subarray(start), longer.length - FOOTER_BYTES);
  const view = new DataView(longer.buffer);
  assertEquals([view.getUint32(entry), start % 512], [ENTRY_NONE, 0]);
  view.setUint32(entry, start / 512);
  Deno.writeFileSync(path, longer);
}

const TESTDATA = new URL("../../../testdata/", import.meta.url).pathname;

oracleTest("vhd asks for the parent of the sample that Windows has made", ["zstd"], async () => {
  using folder = new TempDirectory();
  const path = await sample(folder, "fat-differential.vhd");
  const error = assertThrows(() => read(path), RelatedFileError);
  assertStringIncludes(error.message, "551aa25f-94f3-4daa-9958-1951a67d5540 (parent of");
});

/** Unpacks a sample; its path. */
async function sample(folder: TempDirectory, name: string): Promise<string> {
  const path = folder.file(name);
  await must("zstd", "-qd", "-o", path, `${TESTDATA}${name}.zst`);
  return path;
}

oracleTest("vhd shows the file system in the sample ext2.vhd", ["zstd", "e2fsck"], async () => {
  using folder = new TempDirectory();
  const bytes = read(await sample(folder, "ext2.vhd"));
  assertEquals(bytes.length, 4212736);
  const raw = folder.file("ext2.raw");
  Deno.writeFileSync(raw, bytes);
  await must("/usr/sbin/e2fsck", "-fn", raw);
});

oracleTest("vhd reads the chain of samples whose checksums are wrong", ["zstd"], async () => {
  using folder = new TempDirectory();
  await sample(folder, "image.vhd");
  const bytes = read(await sample(folder, "image-differential.vhd"), { force: true });
  assertEquals(bytes.length, 104448);
  // ext2
  assertEquals(bytes.subarray(1080, 1082), Uint8Array.of(0x53, 0xef));
});
