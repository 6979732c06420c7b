// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import { openImage } from "../../../src/disk/open.ts";
import { probeFormat } from "../../../src/disk/probe.ts";
import { ChunkType } from "../../../src/format/dmg/layout.ts";
import { dmg } from "../../../src/format/dmg/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import { buildDmg, Compressed, type DmgParts, type Entry, SECTOR } from "./image_builder.ts";

/** Sectors that all have the same bytes. */
function filled(sectors: number, byte: number): Uint8Array {
  return new Uint8Array(sectors * SECTOR).fill(byte);
}

function zlib(sector: number, sectors: number, byte: number): Entry {
  const stored = deflateSync(filled(sectors, byte));
  return { type: Compressed.zlib, sector, sectors, stored };
}

function raw(sector: number, sectors: number, byte: number): Entry {
  return { type: ChunkType.raw, sector, sectors, stored: filled(sectors, byte) };
}

const END: Entry = { type: ChunkType.end, sector: 0, sectors: 0 };

/** Opens an image. */
function opened(parts: DmgParts | Uint8Array): OpenedImage & Disposable {
  using folder = new TempDirectory();
  const path = folder.file("disk.dmg");
  Deno.writeFileSync(path, parts instanceof Uint8Array ? parts : buildDmg(parts));
  return new OpenedImage(path, dmg);
}

/** The first byte of each sector. */
function sectorsOf(image: OpenedImage): number[] {
  const bytes = image.read(0, image.image.sizeBytes);
  return Array.from({ length: bytes.length / SECTOR }, (_, sector) => bytes[sector * SECTOR] ?? -1);
}

const TABLES: DmgParts["tables"] = [
  { first: 0, entries: [zlib(0, 2, 1), raw(2, 1, 2), END] },
  { first: 5, entries: [{ type: ChunkType.free, sector: 5, sectors: 1 }, zlib(6, 1, 3)] },
];
const SECTORS = [1, 1, 2, 0, 0, 0, 3, 0];

for (const place of ["plist", "resources"] as const) {
  Deno.test(`dmg reads tables in ${place}, wherever the data begin`, () => {
    for (const dataStart of [0, 512, 1000]) {
      using image = opened({ tables: TABLES, sectors: 8, place, dataStart });
      assertEquals(sectorsOf(image), SECTORS);
    }
  });
}

Deno.test("dmg finds the trailer at the start of the file as well", () => {
  const bytes = buildDmg({ tables: TABLES, sectors: 8, dataStart: 512 });
  bytes.copyWithin(0, bytes.length - 512);
  using image = opened(bytes.subarray(0, -512));
  assertEquals(sectorsOf(image), SECTORS);
});

Deno.test("dmg takes a property list with comments, and empty elements", () => {
  const edit = (text: string): string =>
    text.replace("<array>", "<!-- <array> --><?x </y> ?><array>").replace("<dict>", "<dict ><x/>");
  using image = opened({ tables: TABLES, sectors: 8, edit });
  assertEquals(sectorsOf(image), SECTORS);
});

Deno.test("dmg takes entries in any order", () => {
  using image = opened({
    tables: [{ first: 0, entries: [raw(5, 1, 5), raw(0, 2, 1), zlib(3, 1, 3)] }],
    sectors: 6,
  });
  assertEquals(sectorsOf(image), [1, 1, 0, 3, 0, 5]);
});

Deno.test("dmg says where chunks are", () => {
  using image = opened({ tables: TABLES, sectors: 8 });
  const found = [...image.extents(0, 8 * SECTOR)].map(({ start, mapping }) =>
    [start / SECTOR, mapping.kind, mapping.lengthBytes / SECTOR] as const
  );
  assertEquals(found, [
    [0, Extent.Packed, 2],
    [2, Extent.Data, 1],
    [3, Extent.Zero, 3],
    [6, Extent.Packed, 1],
    [7, Extent.Zero, 1],
  ]);
});

Deno.test("dmg shows what a chunk has not stored as zeros, and a disk as long as its tables", () => {
  const stored = filled(1, 7);
  const entry = { type: ChunkType.raw, sector: 0, sectors: 3, stored };
  using image = opened({ tables: [{ first: 0, entries: [entry] }], sectors: 2 });
  assertEquals(sectorsOf(image), [7, 0, 0]);
});

Deno.test("dmg finds every place among many chunks of all lengths", () => {
  const entries: Entry[] = [];
  const wanted: number[] = [];
  for (let n = 0; n < 300; n++) {
    const sectors = 1 + n * n % 5;
    const byte = n % 3 === 0 ? 0 : n % 251;
    if (byte !== 0) entries.push(raw(wanted.length, sectors, byte));
    for (let i = 0; i < sectors; i++) wanted.push(byte);
  }
  using image = opened({ tables: [{ first: 0, entries }], sectors: wanted.length });
  assertEquals(sectorsOf(image), wanted);
  for (let n = 0; n < 2000; n++) {
    const sector = n * 7919 % wanted.length;
    assertEquals(image.read(sector * SECTOR, 1)[0], wanted[sector]);
  }
});

Deno.test("dmg describes an image", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.dmg");
  Deno.writeFileSync(path, buildDmg({ tables: TABLES, sectors: 8 }));
  using file = openImageFile(path);
  assertEquals(probeFormat(file), "DMG");
  assertEquals(dmg.info?.(file), {
    format: "dmg",
    sizeBytes: 8 * SECTOR,
    specific: {
      type: "dmg",
      data: { tables: 2, chunks: 3, compression: ["zlib"], "largest-chunk": 1024 },
    },
  });
});

type Refused = readonly [message: string, parts: Partial<DmgParts> | Uint8Array];

function one(entry: Partial<Entry>): Partial<DmgParts> {
  return { tables: [{ first: 0, entries: [{ ...zlib(0, 2, 1), ...entry }] }] };
}

const DAMAGED: readonly Refused[] = [
  ["this is no DMG image: it has no trailer", new Uint8Array(4096)],
  ["this is no DMG image: it has no trailer", new Uint8Array(0)],
  ["there is no table of the disk", { trailer: { plist_length: 0n } }],
  ["there is no table of the disk", { tables: [] }],
  ["the property list lies outside the file", { trailer: { plist_offset: 2n ** 63n } }],
  ["the resource fork lies outside the file", {
    trailer: { resource_fork_length: 2n ** 64n - 1n },
  }],
  ["the data of a table lie outside the file", { trailer: { data_fork_offset: 2n ** 40n } }],
  ["chunks of the disk overlap", { tables: [{ first: 0, entries: [raw(0, 2, 1), raw(1, 2, 1)] }] }],
  ["an entry lies outside of every disk", one({ sectors: 2 ** 52 })],
  ["the chunk at 0x0 lies outside the file", one({ length: 10_000n })],
  ["lies outside the file", one({ offset: 2n ** 63n })],
  ["the chunk for 67109376 bytes is too long", one({ sectors: 131_073 })],
  ["a chunk has no bytes", one({ length: 0n })],
  ["</dict> ends nothing", { edit: (text) => text.replace("</string>", "</dict>") }],
  ["<dict> has no end", { edit: (text) => text.replace(/<\/dict>\s*<\/plist>\s*$/, "") }],
  ["not in base64", { edit: (text) => text.replace("<data>", "<data>?") }],
  ["nested too deeply", { edit: (text) => text.replace("<array>", "<array>".repeat(40)) }],
  ["a tag in it has no end", { edit: () => "<!--".repeat(2_000_000) }],
  ["a tag in it has no end", { edit: () => `<${"a".repeat(2_000_000)}` }],
  ["a tag in it is none", { edit: () => `<a${" ".repeat(2_000_000)}>` }],
  ["it has too many elements", { edit: () => "<a/>".repeat(500_001) }],
  ["a table in it is none", { edit: (text) => text.replace(/bWlz/g, "AAAA") }],
  ["the property list is damaged", { edit: (text) => text.replace(/(<data>\s*)[^<]*/, "$1bWlz") }],
  ["too short for", { edit: (text) => text.replace(/(<data>)([^<]{420})[^<]*/, "$1$2") }],
];

const NOT_SUPPORTED: readonly Refused[] = [
  ["DMG images with 3 segments are not supported", { trailer: { segment_count: 3 } }],
  ["DMG images with chunks of type 0x80000001 are not", one({ type: 0x80000001 })],
  ["DMG images with encryption are not", bytesOf("encrcdsa")],
  [
    "DMG images with encryption are not",
    Buffer.concat([new Uint8Array(9000), bytesOf("cdsaencr")]),
  ],
];

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function partsOf(parts: Partial<DmgParts> | Uint8Array): DmgParts | Uint8Array {
  return parts instanceof Uint8Array ? parts : { tables: TABLES, sectors: 8, ...parts };
}

Deno.test("dmg says why an image is none, or damaged", () => {
  for (const [message, parts] of DAMAGED) {
    assertThrows(() => opened(partsOf(parts)), ImageFormatError, message);
  }
});

Deno.test("dmg says what of an image is not supported", () => {
  for (const [message, parts] of NOT_SUPPORTED) {
    assertThrows(() => opened(partsOf(parts)), UnsupportedFeatureError, message);
  }
});

Deno.test("dmg finds encrypted images, to refuse them", () => {
  using folder = new TempDirectory();
  const rest = "\0".repeat(600);
  for (const text of [`encrcdsa${rest}`, `${rest}cdsaencr`]) {
    Deno.writeFileSync(folder.file("disk"), bytesOf(text));
    using file = openImageFile(folder.file("disk"));
    assertEquals(probeFormat(file), "DMG");
  }
});

Deno.test("dmg tells of a chunk that is damaged, and reads the others", () => {
  const stored = deflateSync(filled(2, 1));
  stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1;
  using image = opened({
    tables: [{ first: 0, entries: [{ ...zlib(0, 2, 1), stored }, zlib(2, 1, 5)] }],
    sectors: 3,
  });
  assertThrows(() => image.read(0, SECTOR), ImageFormatError, "cannot be decompressed");
  assert(image.read(2 * SECTOR, SECTOR).every((byte) => byte === 5));
});

/** Runs `body` where libraries of a certain name are not installed. */
function without(library: string, body: () => void): void {
  const { dlopen } = Deno;
  Deno.dlopen = (name, symbols) => {
    if (`${name}`.startsWith(library)) throw new Error("not installed");
    return dlopen(name, symbols);
  };
  try {
    body();
  } finally {
    Deno.dlopen = dlopen;
  }
}

Deno.test("dmg images are refused where a library is missing, but described and listed", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.dmg");
  const request = { format: "DMG", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  for (
    const [type, library] of [[Compressed.xz, "liblzma.so.5"], [
      Compressed.bzip2,
      "libbz2.so.1.0",
    ]] as const
  ) {
    Deno.writeFileSync(path, buildDmg({ tables: TABLES, sectors: 8, ...one({ type }) }));
    without(library.slice(0, -2), () => {
      const wanted = `data that ${library} decompresses, which is not installed, are not supported`;
      assertThrows(() => openImage(openImageFile(path), request), UnsupportedFeatureError, wanted);
      using access = openImage(openImageFile(path), request, { mapOnly: true });
      assertEquals(access.sizeBytes, 8 * SECTOR);
    });
  }
});
