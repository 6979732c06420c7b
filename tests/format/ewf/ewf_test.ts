// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SECTION, TABLE } from "../../../src/format/ewf/layout.ts";
import { ewf } from "../../../src/format/ewf/mod.ts";
import { segmentName } from "../../../src/format/ewf/segment_names.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { ExportedImage, mustSoon } from "../../support/program.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { seededBytes } from "../../nbd/served_image.ts";
import { OpenedImage, openImageFile, sameBytes } from "../opened_image.ts";
import { buildEwf, CHUNK_BYTES, DISK } from "./image_builder.ts";

function inFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  using folder = new TempDirectory();
  const path = folder.file("disk.E01");
  Deno.writeFileSync(path, bytes);
  return use(path);
}

function wholeDisk(path: string): Uint8Array {
  using opened = new OpenedImage(path, ewf);
  return opened.read(0, opened.image.sizeBytes);
}

Deno.test("segmentName() counts as EnCase does, in the case of the first one", () => {
  const names = [2, 9, 99, 100, 125, 126, 775, 776].map((number) => segmentName("a.E01", number));
  assertEquals(
    names,
    ["E02", "E09", "E99", "EAA", "EAZ", "EBA", "EZZ", "FAA"].map((e) => `a.${e}`),
  );
  assertEquals(segmentName("b.e01", 100), "b.eaa");
  assertEquals(segmentName("b.e01.raw", 2), undefined);
});

Deno.test("ewf reads chunks that are compressed or not, and a short one", () => {
  assert(inFile(buildEwf(), (path) => sameBytes(wholeDisk(path), DISK)));
});

Deno.test("ewf has the sector size that the image says, where that is not the usual one", () => {
  for (const [sectorBytes, expected] of [[512, undefined], [2048, 2048]] as const) {
    inFile(buildEwf({ sectorBytes }), (path) => {
      using opened = new OpenedImage(path, ewf);
      assertEquals(opened.image.sectorBytes, expected);
    });
  }
});

Deno.test("ewf describes an image", () => {
  const info = inFile(buildEwf(), (path) => {
    using file = openImageFile(path);
    return ewf.info?.(file);
  });
  assertEquals([info?.sizeBytes, info?.clusterBytes], [DISK.length, CHUNK_BYTES]);
});

/** Where the sections begin whose type is this. */
function sectionAt(bytes: Uint8Array, type: string): number {
  const wanted = new TextEncoder().encode(`${type}\0`);
  return bytes.findIndex((_, at) => wanted.every((byte, i) => bytes[at + i] === byte));
}

Deno.test("ewf takes the copy of a table that is damaged", () => {
  const bytes = buildEwf();
  const table = sectionAt(bytes, "table") + SECTION.sizeBytes;
  const copy = sectionAt(bytes, "table2") + SECTION.sizeBytes;
  const entry = TABLE.sizeBytes + 5;
  for (const at of [table, table + entry]) {
    const damaged = bytes.with(at, (bytes[at] ?? 0) ^ 1);
    assert(inFile(damaged, (path) => sameBytes(wholeDisk(path), DISK)));
  }
  const both = bytes.with(table + entry, 9).with(copy + entry, 9);
  assertThrows(() => inFile(both, wholeDisk), ImageFormatError, "the checksum of a table is wrong");
});

Deno.test("ewf tells damage in chunks, compressed or not, and reads the others", () => {
  const bytes = buildEwf();
  const chunks = sectionAt(bytes, "sectors") + SECTION.sizeBytes;
  inFile(
    bytes.with(chunks + CHUNK_BYTES / 2, (bytes[chunks + CHUNK_BYTES / 2] ?? 0) ^ 1),
    (path) => {
      using opened = new OpenedImage(path, ewf);
      assert(sameBytes(opened.read(0, 512), DISK.subarray(0, 512)));
      assertThrows(() => opened.read(CHUNK_BYTES, 512), ImageFormatError, "cannot be decompressed");
    },
  );
  inFile(bytes.with(chunks + 5, (bytes[chunks + 5] ?? 0) ^ 1), (path) => {
    using opened = new OpenedImage(path, ewf);
    assertThrows(() => opened.read(0, 512), ImageFormatError, "cannot be decompressed");
  });
});

Deno.test("ewf refuses what is no image, not whole, not the first segment, or of version 2", () => {
  const good = buildEwf();
  const version2 = Uint8Array.from(good);
  version2.set([0x45, 0x56, 0x46, 0x32, 0x0d, 0x0a, 0x81, 0]);
  const cases: readonly [message: string, bytes: Uint8Array][] = [
    ["this is no segment", new Uint8Array(500)],
    ["the segment is not whole", good.subarray(0, good.length - 100)],
    ["the checksum of a section is wrong", good.with(20, 3)],
    ["this is segment 3 of an image: name the first one", buildEwf({ number: 3 })],
  ];
  for (const [message, bytes] of cases) {
    assertThrows(() => inFile(bytes, wholeDisk), ImageFormatError, message);
  }
  assertThrows(() => inFile(version2, wholeDisk), UnsupportedFeatureError, "version 2");
  assertThrows(
    () => inFile(buildEwf({ goesOn: true }), wholeDisk),
    UnsupportedFeatureError,
    "several segments",
  );
});

/** Has libewf make an image of `raw`, called `name`. */
async function acquire(raw: string, name: string, ...options: string[]): Promise<void> {
  const words = ["-q", "-t", name, ...options].map((word) => `'${word}'`).join(" ");
  await must("sh", "-ec", `ewfacquirestream ${words} <'${raw}' >/dev/null 2>&1`);
}

oracleTest(
  "ewf reads what libewf writes, in one segment or in many, and says which is missing",
  ["ewfacquirestream", "nbdcopy", "cmp", "sh"],
  async () => {
    using folder = new TempDirectory();
    const raw = folder.file("raw");
    const disk = new Uint8Array(6 * 1024 * 1024);
    disk.set(seededBytes(3_000_000, 1), 100_000);
    Deno.writeFileSync(raw, disk);
    const ways: readonly (readonly string[])[] = [
      ["-c", "none"],
      ["-c", "fast", "-b", "16"],
      ["-c", "empty-block", "-S", "1MiB"],
      ["-c", "best", "-S", "1MiB", "-P", "2048"],
    ];
    for (const [number, options] of ways.entries()) {
      await acquire(raw, folder.file(`image${number}`), ...options);
      const image = folder.file(`image${number}.E01`);
      const copy = folder.file("copy");
      await using exported = await ExportedImage.attach({
        folder,
        image,
        options: ["-r", "-t", "auto"],
        name: `socket${number}`,
      });
      await mustSoon("nbdcopy", exported.uri, copy);
      await must("cmp", raw, copy);
      await exported.detach();
    }
    Deno.removeSync(folder.file("image2.E02"));
    const failure = await ExportedImage.attach({
      folder,
      image: folder.file("image2.E01"),
      options: ["-r", "-t", "EWF"],
      name: "none",
    }).then(() => "", (error: Error) => error.message);
    assert(failure.includes("image2.E02"), failure);
  },
);
