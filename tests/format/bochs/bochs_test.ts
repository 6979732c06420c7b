// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { VERSION_1 } from "../../../src/format/bochs/layout.ts";
import { bochs } from "../../../src/format/bochs/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { BITMAP, type BochsParts, buildBochs, EXTENT, STORED, text } from "./image_builder.ts";

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.img");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: BochsParts): OpenedImage {
  return new OpenedImage(written(folder, buildBochs(parts)), bochs);
}

const { Data, Zero } = Extent;

Deno.test("bochs reads extents in any order, sector by sector, and joins those not stored", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [1, 0, undefined, undefined, 3], bits: [0xffff, 0x800f] });
  const runs = [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes,
  ]);
  assertEquals(runs, [
    [Data, 2048],
    [Zero, EXTENT - 2048 - 512],
    [Data, 512],
    [Data, EXTENT],
    [Zero, 2 * EXTENT],
    [Data, EXTENT],
    [Zero, 3 * EXTENT],
  ]);
  assertEquals(image.read(EXTENT - 1, 2), Uint8Array.of(2, 1));
});

Deno.test("bochs places the sectors of an extent behind its bitmap", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0] });
  const [first] = image.extents(600, 10);
  assertEquals(first?.mapping.hostOffset, STORED + BITMAP + 600);
});

Deno.test("bochs finds the size of the disk where each version has it, in whole sectors", () => {
  using folder = new TempDirectory();
  for (const version of [0x20000, VERSION_1]) {
    using image = opened(folder, { header: { version, disk: 8191n } });
    assertEquals(image.image.sizeBytes, 7680);
  }
});

Deno.test("bochs throws at an extent that is not in the file", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0, 100] });
  assertThrows(() => image.read(EXTENT, 1), ImageFormatError, "is not in the file");
});

const DAMAGED: readonly [message: string, header: NonNullable<BochsParts["header"]>][] = [
  ["this is no redolog", { magic: text("Bochs Virtual HD image", 32) }],
  ["this is no redolog", { type: text("Redolog2", 16) }],
  ["this is no redolog", { subtype: text("Growin", 16) }],
  ["the catalog cannot be where", { header: 511 }],
  ["the catalog cannot be where", { header: 2 ** 32 - 1 }],
  ["bitmaps of 1 bytes are too short", { bitmap: 1 }],
  ["extents of 4097 bytes are not possible", { extent: 4097 }],
  ["extents of 0 bytes are not possible", { extent: 0 }],
  ["extents of 2147483648 bytes are not possible", { extent: 2 ** 31 }],
  ["4294967295 extents are too many", { catalog: 2 ** 32 - 1 }],
  ["the catalog is too short for the disk", { disk: 8n * 8192n + 512n }],
];

for (const [message, header] of DAMAGED) {
  Deno.test(`bochs refuses damage: ${message} (${Object.keys(header)})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { header }), ImageFormatError, message);
  });
}

Deno.test("bochs refuses by name: other versions, and what lies on an image it does not name", () => {
  using folder = new TempDirectory();
  const version = { header: { version: 0x30000 } };
  assertThrows(() => opened(folder, version), UnsupportedFeatureError, "with version 3 are");
  for (const subtype of ["Undoable", "Volatile"]) {
    const parts = { header: { subtype: text(subtype, 16) } };
    assertThrows(() => opened(folder, parts), UnsupportedFeatureError, `(${subtype}) are not`);
    using file = openImageFile(written(folder, buildBochs(parts)));
    assertEquals(bochs.info?.(file).specific?.data, { subtype });
  }
});

Deno.test("bochs refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = written(folder, new Uint8Array(511));
  assertThrows(() => new OpenedImage(path, bochs), ImageFormatError, "too short");
});

oracleTest("bochs and qemu agree on images built here", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const map = [1, 0, undefined, 2, 3];
  const bits = [0xffff, 0x800f, 0x5555, 0];
  const path = written(folder, buildBochs({ map, bits }));
  const raw = folder.file("disk.raw");
  await must("qemu-img", "convert", "-f", "bochs", "-O", "raw", path, raw);
  using image = new OpenedImage(path, bochs);
  const { sizeBytes } = image.image;
  assertEquals(sizeBytes, Deno.statSync(raw).size);
  assertEquals(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)), true);
});
