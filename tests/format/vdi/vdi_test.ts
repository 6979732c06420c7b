// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENTRY_FREE, ENTRY_ZERO, HEADER, ImageType } from "../../../src/format/vdi/layout.ts";
import { vdi } from "../../../src/format/vdi/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import { BLOCK, buildVdi, DATA, uuid, uuidText, type VdiParts } from "./image_builder.ts";

function opened(folder: TempDirectory, parts: VdiParts): OpenedImage {
  const path = folder.file("disk.vdi");
  Deno.writeFileSync(path, buildVdi(parts));
  return new OpenedImage(path, vdi);
}

function runs(image: OpenedImage): readonly (readonly [number, number])[] {
  return [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes,
  ]);
}

Deno.test("vdi joins blocks that are stored behind each other, and those that are not stored", () => {
  using folder = new TempDirectory();
  const map = [1, 2, ENTRY_FREE, ENTRY_FREE, ENTRY_ZERO, ENTRY_ZERO, 3, 0];
  using image = opened(folder, { map });
  const { Data, Backing, Zero } = Extent;
  assertEquals(runs(image), [
    [Data, 2 * BLOCK],
    [Backing, 2 * BLOCK],
    [Zero, 2 * BLOCK],
    [Data, BLOCK],
    [Data, BLOCK],
  ]);
  assertEquals(image.read(2 * BLOCK - 1, 2), Uint8Array.of(3, 0));
  assertEquals(image.read(7 * BLOCK - 1, 2), Uint8Array.of(4, 1));
});

Deno.test("vdi skips what lies in front of each block", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { header: { block_extra: 512 }, map: [0, 1, 2] });
  assertEquals(runs(image).slice(0, 3).map(([, bytes]) => bytes), [BLOCK, BLOCK, BLOCK]);
  assertEquals(image.read(BLOCK - 1, 2), Uint8Array.of(1, 2));
  assertEquals(image.read(3 * BLOCK - 1, 2), Uint8Array.of(3, 0));
});

Deno.test("vdi throws at a block of which the file only has what lies in front of it", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { header: { block_extra: 0xffff_fe00 }, map: [0], stored: 0 });
  assertThrows(() => image.read(0, 512), ImageFormatError, "is not in the file");
});

Deno.test("vdi rounds the size up to a whole sector, as qemu does", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { header: { disk_size: 1000n } });
  assertEquals(image.image.sizeBytes, 1024);
});

Deno.test("vdi shows what a file that was cut off has of a block, and throws at the blocks it has not", () => {
  using folder = new TempDirectory();
  const path = folder.file("short.vdi");
  Deno.writeFileSync(path, buildVdi({ map: [1, 2] }));
  Deno.truncateSync(path, DATA + BLOCK + 512);
  using image = new OpenedImage(path, vdi);
  assertEquals(image.read(511, 2), Uint8Array.of(2, 0));
  assertThrows(() => image.read(BLOCK - 1, 2), ImageFormatError, "the block at 0x2400 is not in");
  const error = assertThrows(
    () => image.read(BLOCK, 1),
    ImageFormatError,
    "the block at 0x2400 is not in",
  );
  assertEquals(error.hostOffset, DATA + 2 * BLOCK);
});

Deno.test("vdi reads an image of a terabyte in little memory", () => {
  using folder = new TempDirectory();
  const blocks = 2 ** 20;
  const path = folder.file("large.vdi");
  const header = { block_size: 2 ** 20, blocks, disk_size: 2n ** 40n, offset_data: 2 ** 23 };
  const bytes = buildVdi({ header, stored: 0 });
  Deno.writeFileSync(path, bytes);
  Deno.truncateSync(path, 2 ** 23);
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, 0, true);
  using file = Deno.openSync(path, { write: true });
  file.seekSync(512 + 4 * (blocks - 1), Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(view.buffer));
  Deno.truncateSync(path, 2 ** 23 + 2 ** 20);
  const before = Deno.memoryUsage().external;
  using image = new OpenedImage(path, vdi);
  assertEquals(image.read(2 ** 40 - 1, 1), Uint8Array.of(0));
  assert(Deno.memoryUsage().external - before < 32 * 2 ** 20);
});

const DAMAGED: readonly [message: string, header: VdiParts["header"]][] = [
  ["this is no VDI image", { magic: 1 }],
  ["a header of 383 bytes is too short", { header_size: 0x17f }],
  ["the image type 0 is not possible", { type: 0 }],
  ["the image type 5 is not possible", { type: 5 }],
  ["does not say what it lies on", { type: ImageType.differencing }],
  ["blocks of 2048 bytes are not possible", { block_size: 2048 }],
  ["blocks of 5000 bytes are not possible", { block_size: 5000 }],
  ["blocks of 536870912 bytes are not possible", { block_size: 2 ** 29 }],
  ["blocks of 2147483648 bytes are not possible", { block_size: 2 ** 31 }],
  ["sectors of 4096 bytes are not possible", { sector_size: 4096 }],
  ["the map cannot be where", { offset_blocks: 0 }],
  ["the map cannot be where", { offset_blocks: 513 }],
  ["the blocks cannot be where", { offset_data: 1025 }],
  ["the map is too short for the disk", { disk_size: 2n ** 63n }],
  ["the map lies outside the file", { blocks: 2 ** 32 - 1 }],
  ["the map lies outside the file", { offset_blocks: 0xfffffe00 }],
  ["the blocks begin within the map", { offset_data: 512 }],
];

for (const [message, header = {}] of DAMAGED) {
  Deno.test(`vdi refuses damage: ${message} (${Object.entries(header)})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { header }), ImageFormatError, message);
  });
}

Deno.test("vdi refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = folder.file("short");
  Deno.writeFileSync(path, buildVdi().subarray(0, HEADER.sizeBytes - 1));
  assertThrows(() => new OpenedImage(path, vdi), ImageFormatError, "too short");
});

const UNSUPPORTED: readonly [message: string, header: VdiParts["header"]][] = [
  ["version 0.2", { version: 2 }],
  ["version 2.0", { version: 0x20000 }],
  ["the type undo", { type: ImageType.undo }],
  ["a parent", { uuid_parent: uuid(9) }],
];

for (const [message, header = {}] of UNSUPPORTED) {
  Deno.test(`vdi refuses by name: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { header }), UnsupportedFeatureError, message);
  });
}

Deno.test("vdi describes an image by its identifiers", () => {
  using folder = new TempDirectory();
  const path = folder.file("child.vdi");
  const header = {
    type: ImageType.differencing,
    uuid_parent: uuid(0xab),
    uuid_parent_modified: uuid(0xcd),
  };
  Deno.writeFileSync(path, buildVdi({ header }));
  using file = openImageFile(path);
  const { specific, ...info } = vdi.info?.(file) ?? {};
  assertEquals(info, {
    format: "vdi",
    sizeBytes: 8 * BLOCK,
    clusterBytes: BLOCK,
    dirty: false,
    identity: { id: uuidText(1), state: uuidText(2) },
    parent: {
      format: "VDI",
      otherFormats: ["VHD", "VMDK"],
      identity: { id: uuidText(0xab), state: uuidText(0xcd) },
      names: [],
    },
  });
  assertEquals(specific?.data, {
    type: "differencing",
    uuid: uuidText(1),
    "modification-uuid": uuidText(2),
    "parent-uuid": uuidText(0xab),
    "parent-modification-uuid": uuidText(0xcd),
  });
});
