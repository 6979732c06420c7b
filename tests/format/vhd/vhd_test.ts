// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { DiskType, MAX_GEOMETRY } from "../../../src/format/vhd/layout.ts";
import { vhd } from "../../../src/format/vhd/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import type { RecordedPath } from "../../../src/image/identity.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import {
  BITMAP,
  BLOCK,
  BLOCKS,
  buildFixed,
  buildVhd,
  text,
  utf16,
  uuid,
  type VhdParts,
} from "./image_builder.ts";

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.vhd");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: VhdParts): OpenedImage {
  return new OpenedImage(written(folder, buildVhd(parts)), vhd);
}

function runs(image: OpenedImage): readonly (readonly [number, number])[] {
  return [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes,
  ]);
}

const { Data, Backing } = Extent;

Deno.test("vhd reads blocks in any order, and joins those that are not stored", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [1, 0, undefined, undefined, 3] });
  assertEquals(runs(image), [
    [Data, BLOCK],
    [Data, BLOCK],
    [Backing, 2 * BLOCK],
    [Data, BLOCK],
    [Backing, 3 * BLOCK],
  ]);
  assertEquals(image.read(BLOCK - 1, 2), Uint8Array.of(2, 1));
});

Deno.test("vhd takes no notice of the bitmaps of a dynamic image", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0], bits: [0] });
  assertEquals(image.read(0, 1), Uint8Array.of(1));
});

Deno.test("vhd reads a fixed image up to its footer, whatever the disk begins with", () => {
  using folder = new TempDirectory();
  const bytes = buildFixed(8192, 7);
  bytes.set(buildVhd().subarray(0, 512));
  using image = new OpenedImage(written(folder, bytes), vhd);
  assertEquals(image.image.sizeBytes, 8192);
  assertEquals(image.read(8191, 1), Uint8Array.of(7));
});

/** What the size is by, for each program that has made the image: size, or geometry. */
const SIZES: readonly [creator: string, footer: VhdParts["footer"], sizeBytes: number][] = [
  ["vpc ", {}, 68 * 512],
  ["qemu", {}, 68 * 512],
  ["qemu", MAX_GEOMETRY, 32768],
  ["qem2", {}, 32768],
  ["win ", {}, 32768],
  ["d2v ", {}, 32768],
  ["vbox", {}, 32768],
  ["wa\0\0", {}, 32768],
  ["vbox", { current_size: 32767n }, 32256],
];

for (const [creator, footer = {}, sizeBytes] of SIZES) {
  Deno.test(`vhd goes by the rule of ${creator} for sizes (${Object.entries(footer)})`, () => {
    using folder = new TempDirectory();
    const all = { ...footer, creator: text(creator) };
    const header = { max_table_entries: 9 };
    using image = opened(folder, { footer: all, header });
    assertEquals(image.image.sizeBytes, sizeBytes);
  });
}

Deno.test("vhd refuses a fixed image that is shorter than its disk", () => {
  using folder = new TempDirectory();
  const path = written(folder, buildFixed(8192, 7, { current_size: 8704n }));
  assertThrows(() => new OpenedImage(path, vhd), ImageFormatError, "larger than the file");
});

Deno.test("vhd goes by the footer at the end, and by its copy where that is damaged", () => {
  using folder = new TempDirectory();
  const good = { current_size: 4096n };
  using differing = opened(folder, { footer: good, copy: {} });
  assertEquals(differing.image.sizeBytes, 4096);
  using cut = opened(folder, { footer: { checksum: 1 }, copy: good });
  assertEquals([cut.image.sizeBytes, cut.image.warnings?.length], [4096, 1]);
});

Deno.test("vhd refuses wrong checksums, unless that is forced", () => {
  const bad = { checksum: 1 };
  for (const parts of [{ footer: bad, copy: bad }, { header: bad }]) {
    using folder = new TempDirectory();
    const path = written(folder, buildVhd({ map: [2], ...parts }));
    assertThrows(() => new OpenedImage(path, vhd), ImageFormatError, "(--force reads it all the");
    using image = new OpenedImage(path, vhd, { readOnly: true, force: true });
    assertEquals(image.read(0, 1), Uint8Array.of(3));
  }
});

Deno.test("vhd throws at a block that is not in the file", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0, 100] });
  assertThrows(() => image.read(BLOCK, 1), ImageFormatError, "is not in the file");
});

const DAMAGED: readonly [message: string, parts: VhdParts][] = [
  ["this is no VHD image", { footer: { cookie: text("conectiX") } }],
  ["the disk type 5 is not possible", { footer: { type: 5 } }],
  ["the dynamic header lies outside the file", { footer: { data_offset: 2n ** 64n - 1n } }],
  ["there is no dynamic header", { footer: { data_offset: 0n } }],
  ["blocks of 2048 bytes are not possible", { header: { block_size: 2048 } }],
  ["blocks of 5000 bytes are not possible", { header: { block_size: 5000 } }],
  ["blocks of 2147483648 bytes are not possible", { header: { block_size: 2 ** 31 } }],
  ["the allocation table cannot be where", { header: { table_offset: 1537n } }],
  ["the allocation table cannot be where", { header: { table_offset: 2n ** 63n } }],
  ["the allocation table cannot be where", { header: { max_table_entries: 2 ** 32 - 1 } }],
  ["the allocation table is too short", { header: { max_table_entries: 7 } }],
  ["does not say what it lies on", { footer: { type: DiskType.differencing } }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`vhd refuses damage: ${message} (${Object.entries(parts.header ?? {})})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

Deno.test("vhd refuses by name: other versions, a parent where none can be opened", () => {
  using folder = new TempDirectory();
  const version = { footer: { version: 0x20003 } };
  assertThrows(() => opened(folder, version), UnsupportedFeatureError, "version 2.3");
  const child = {
    footer: { type: DiskType.differencing },
    header: { parent_uuid: uuid(9) },
  };
  assertThrows(() => opened(folder, child), UnsupportedFeatureError, "a parent");
});

Deno.test("vhd refuses files too short for a footer", () => {
  using folder = new TempDirectory();
  const path = written(folder, new Uint8Array(511));
  assertThrows(() => new OpenedImage(path, vhd), ImageFormatError, "too short");
});

const NAMES: readonly [code: string, content: Uint8Array, names: RecordedPath[]][] = [
  ["W2ru", utf16(".\\a b.vhd", "le"), [{ kind: "windows", path: ".\\a b.vhd" }]],
  ["W2ku", utf16("C:\\x.vhd\0rest", "le"), [{ kind: "windows", path: "C:\\x.vhd" }]],
  ["Wi2r", text("..\\old.vhd"), [{ kind: "windows", path: "..\\old.vhd" }]],
  ["MacX", text("file://localhost/a%20b.vhd"), [{ kind: "plain", path: "/a b.vhd" }]],
  ["MacX", text("http://a/b"), []],
  ["MacX", text("file://a/%ff"), []],
  ["Mac ", text("alias"), []],
];

for (const [code, content, names] of NAMES) {
  Deno.test(`vhd reads the name in a locator ${code}: ${JSON.stringify(names)}`, () => {
    using folder = new TempDirectory();
    const name = utf16("name.vhd", "be");
    const field = new Uint8Array(512);
    field.set(name);
    const path = written(
      folder,
      buildVhd({
        footer: { type: DiskType.differencing },
        header: { parent_uuid: uuid(9), parent_name: field },
        locator: [code, content],
      }),
    );
    using file = openImageFile(path);
    const last: RecordedPath = { kind: "windows", path: "name.vhd" };
    assertEquals(vhd.info?.(file).parent?.names, [...names, last]);
  });
}

Deno.test("vhd places the bytes of a block behind its bitmap", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0] });
  const [first] = image.extents(100, 10);
  assertEquals(first?.mapping.hostOffset, BLOCKS + BITMAP + 100);
});
