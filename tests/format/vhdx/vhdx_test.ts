// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HEADER_OFFSETS, REGION_TABLE_OFFSETS } from "../../../src/format/vhdx/layout.ts";
import { vhdx } from "../../../src/format/vhdx/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { memoryFolder, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import {
  at,
  BAT,
  type BatEntry,
  BLOCK,
  BLOCKS,
  buildVhdx,
  guid,
  guidOf,
  METADATA,
  MIB,
  putHeader,
  putRegionChecksum,
  type VhdxParts,
} from "./image_builder.ts";

const FOLDER = memoryFolder();
const { Data, Backing, Zero } = Extent;

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.vhdx");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, bytes: Uint8Array): OpenedImage {
  return new OpenedImage(written(folder, bytes), vhdx);
}

function runs(image: OpenedImage): readonly (readonly [number, number])[] {
  return [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes,
  ]);
}

Deno.test("vhdx joins blocks that are stored behind each other, and those of one kind that are not", () => {
  using folder = new TempDirectory(FOLDER);
  const bat = [at(1), at(2), [0], [0], [2], [2, 7], at(0), at(3)] as const;
  using image = opened(folder, buildVhdx({ bat }));
  assertEquals(runs(image), [
    [Data, 2 * BLOCK],
    [Backing, 2 * BLOCK],
    [Zero, 2 * BLOCK],
    [Data, BLOCK],
    [Data, BLOCK],
  ]);
  assertEquals(image.read(2 * BLOCK - 1, 2), Uint8Array.of(3, 0));
  assertEquals(image.read(7 * BLOCK - 1, 2), Uint8Array.of(1, 4));
});

Deno.test("vhdx reads what is undefined or unmapped as zeros, by either number", () => {
  using folder = new TempDirectory(FOLDER);
  const bat = [[1, 5], [3, 5], [5, 5], at(0)] as const;
  using image = opened(folder, buildVhdx({ bat }));
  assertEquals(image.read(0, 3 * BLOCK), new Uint8Array(3 * BLOCK));
  assertEquals(image.read(3 * BLOCK, 1), Uint8Array.of(1));
});

Deno.test("vhdx skips the entry that comes after those of each chunk", () => {
  using folder = new TempDirectory(FOLDER);
  // A chunk has 16 blocks of 256 MiB, of 2^23 sectors.
  const bat = Array.from({ length: 34 }, (): BatEntry => [0]);
  bat[15] = at(1);
  bat[16] = [6, 1];
  bat[17] = at(2);
  const sizeBytes = 32 * 256 * MIB;
  using image = opened(folder, buildVhdx({ bat, sizeBytes, blockBytes: 256 * MIB, stored: 4 }));
  assertEquals(image.read(16 * 256 * MIB - 256 * MIB, 1), Uint8Array.of(2));
  assertEquals(image.read(16 * 256 * MIB, 1), Uint8Array.of(3));
  assertEquals(image.read(17 * 256 * MIB, 1), Uint8Array.of(0));
});

Deno.test("vhdx goes by the valid header with the higher number, whichever that is", () => {
  using folder = new TempDirectory(FOLDER);
  for (const sequences of [[1, 2], [7, 6], [0, 1], [1, 0]] as const) {
    const bytes = buildVhdx({ sequences });
    const index = sequences[0] > sequences[1] ? 0 : 1;
    const sequence_number = BigInt(sequences[index] ?? 0);
    putHeader(bytes, HEADER_OFFSETS[index], { sequence_number, data_write_guid: guid(8) });
    using file = openImageFile(written(folder, bytes));
    assertEquals(vhdx.info?.(file).identity?.id, guidOf(8));
  }
});

Deno.test("vhdx takes two headers that are the same, and refuses those that only have the same number", () => {
  using folder = new TempDirectory(FOLDER);
  const bytes = buildVhdx({ sequences: [4, 4] });
  using image = opened(folder, bytes);
  assertEquals(image.image.sizeBytes, 8 * BLOCK);
  putHeader(bytes, HEADER_OFFSETS[1], { sequence_number: 4n, data_write_guid: guid(8) });
  assertThrows(() => opened(folder, bytes), ImageFormatError, "same sequence number, but differ");
});

Deno.test("vhdx takes the copy of the region table where the first one is damaged", () => {
  using folder = new TempDirectory(FOLDER);
  const bytes = buildVhdx({ bat: [at(3)] });
  bytes[REGION_TABLE_OFFSETS[0] + 20] = 0;
  using image = opened(folder, bytes);
  assertEquals(image.read(0, 1), Uint8Array.of(4));
  bytes[REGION_TABLE_OFFSETS[1] + 20] = 0;
  assertThrows(() => opened(folder, bytes), ImageFormatError, "both region tables are damaged");
});

Deno.test("vhdx says which sectors the disk has", () => {
  using folder = new TempDirectory(FOLDER);
  for (const sectorBytes of [512, 4096]) {
    using image = opened(folder, buildVhdx({ sectorBytes }));
    assertEquals(image.image.sectorBytes, sectorBytes);
  }
});

Deno.test("vhdx shows what a file that was cut off has of a block, and throws at what it has not", () => {
  using folder = new TempDirectory(FOLDER);
  const path = written(folder, buildVhdx({ bat: [at(0), at(1)] }));
  Deno.truncateSync(path, BLOCKS + 512);
  using image = new OpenedImage(path, vhdx);
  assertEquals(image.read(511, 2), Uint8Array.of(1, 0));
  assertThrows(() => image.read(BLOCK, 1), ImageFormatError, "block at 0x600000 is not in");
  assertThrows(() => image.read(BLOCK - 1, 2), ImageFormatError, "block at 0x600000 is not in");
});

Deno.test("vhdx throws at states that there are not, and at sectors of a parent without one", () => {
  using folder = new TempDirectory(FOLDER);
  using image = opened(folder, buildVhdx({ bat: [[4], at(0, 7), [6, 2 ** 43]] }));
  for (const block of [0, 1]) {
    const wrong = `the state of block ${block} is not possible`;
    assertThrows(() => image.read(block * BLOCK, 1), ImageFormatError, wrong);
  }
  assertThrows(() => image.read(2 * BLOCK, 1), ImageFormatError, "is not in the file");
});

Deno.test("vhdx reads an image of 64 TiB in little memory", () => {
  using folder = new TempDirectory(FOLDER);
  const bytes = buildVhdx({ sizeBytes: 2 ** 46, blockBytes: MIB, stored: 1 });
  const { length } = bytes;
  // The BAT lies behind all else.
  const place = BigInt(length);
  for (const hostOffset of REGION_TABLE_OFFSETS) {
    const view = new DataView(bytes.buffer);
    view.setBigUint64(hostOffset + 16 + 16, place, true);
    view.setUint32(hostOffset + 16 + 24, 513 * MIB, true);
    putRegionChecksum(bytes, hostOffset);
  }
  const path = written(folder, bytes);
  Deno.truncateSync(path, length + 513 * MIB);
  const before = Deno.memoryUsage().external;
  using image = new OpenedImage(path, vhdx);
  assertEquals(image.read(2 ** 46 - 1, 1), Uint8Array.of(0));
  assert(Deno.memoryUsage().external - before < 32 * 2 ** 20);
});

const UNKNOWN = "00112233-4455-6677-8899-aabbccddeeff";

Deno.test("vhdx passes over regions and items that need not be understood", () => {
  using folder = new TempDirectory(FOLDER);
  const extra = { guid: UNKNOWN, isRequired: false };
  using image = opened(folder, buildVhdx({ region: extra, item: extra, bat: [at(0)] }));
  assertEquals(image.read(0, 1), Uint8Array.of(1));
});

const UNSUPPORTED: readonly [message: string, parts: VhdxParts][] = [
  ["version 2", { header: { version: 2 } }],
  ["version 1 of the log", { header: { log_version: 1 } }],
  [`the region ${UNKNOWN}`, { region: { guid: UNKNOWN, isRequired: true } }],
  [`the metadata item ${UNKNOWN}`, { item: { guid: UNKNOWN, isRequired: true } }],
  ["a parent", { parent: { parent_linkage: `{${guidOf(5)}}`, relative_path: "base.vhdx" } }],
];

for (const [message, parts] of UNSUPPORTED) {
  Deno.test(`vhdx refuses by name: ${message}`, () => {
    using folder = new TempDirectory(FOLDER);
    assertThrows(() => opened(folder, buildVhdx(parts)), UnsupportedFeatureError, message);
  });
}

const DAMAGED: readonly [message: string, parts: VhdxParts][] = [
  ["both headers are damaged", { sequences: [0, 0] }],
  ["the log cannot be where", { header: { log_guid: guid(9), log_length: 4096 } }],
  ["the log cannot be where", { header: { log_guid: guid(9), log_offset: 2n ** 62n } }],
  ["blocks of 524288 bytes are not possible", { blockBytes: MIB / 2 }],
  ["blocks of 3145728 bytes are not possible", { blockBytes: 3 * MIB }],
  ["blocks of 536870912 bytes are not possible", { blockBytes: 512 * MIB }],
  ["sectors of 1024 bytes are not possible", { sectorBytes: 1024 }],
  ["a disk of 1000 bytes is not possible", { sizeBytes: 1000 }],
  ["a disk of 140737488355328 bytes is not possible", { sizeBytes: 2 ** 47 }],
  ["the BAT is too short for the disk", { sizeBytes: 2 ** 40 }],
  ["does not say what it lies on", { flags: 2 }],
  ["does not say what it lies on", { parent: { relative_path: "base.vhdx" } }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`vhdx refuses damage: ${message} (${Object.keys(parts)})`, () => {
    using folder = new TempDirectory(FOLDER);
    assertThrows(() => opened(folder, buildVhdx(parts)), ImageFormatError, message);
  });
}

Deno.test("vhdx refuses counts and places that no table can have", () => {
  using folder = new TempDirectory(FOLDER);
  const changes: readonly [message: string, change: (view: DataView) => void][] = [
    ["there is no metadata table", (view) => view.setUint16(METADATA + 10, 2048, true)],
    ["cannot be where it is", (view) => view.setUint32(METADATA + 32 + 16, 100, true)],
    ["cannot be where it is", (view) => view.setUint32(METADATA + 32 + 20, MIB, true)],
  ];
  for (const [message, change] of changes) {
    const bytes = buildVhdx();
    change(new DataView(bytes.buffer));
    assertThrows(() => opened(folder, bytes), ImageFormatError, message);
  }
  const places: readonly [message: string, place: number][] = [
    ["regions overlap", METADATA],
    ["cannot be where it is said to be", BAT + 4096],
    ["outside the file", 2 ** 40],
  ];
  for (const [message, place] of places) {
    const bytes = buildVhdx();
    for (const hostOffset of REGION_TABLE_OFFSETS) {
      new DataView(bytes.buffer).setBigUint64(hostOffset + 16 + 16, BigInt(place), true);
      putRegionChecksum(bytes, hostOffset);
    }
    assertThrows(() => opened(folder, bytes), ImageFormatError, message);
  }
});

Deno.test("vhdx describes an image, and what it lies on", () => {
  using folder = new TempDirectory(FOLDER);
  const parent = {
    parent_linkage: `{${guidOf(0xab).toUpperCase()}}`,
    parent_linkage2: `{${guidOf(0xcd)}}`,
    absolute_win32_path: "\\\\?\\d:\\a\\base.vhdx",
    relative_path: "..\\base.vhdx",
  };
  using file = openImageFile(written(folder, buildVhdx({ parent, sectorBytes: 4096 })));
  const { specific, ...info } = vhdx.info?.(file) ?? {};
  assertEquals(info, {
    format: "vhdx",
    sizeBytes: 8 * BLOCK,
    clusterBytes: BLOCK,
    dirty: false,
    identity: { id: guidOf(2) },
    parent: {
      format: "VHDX",
      identity: { id: guidOf(0xab) },
      otherIds: [guidOf(0xcd)],
      names: [
        { kind: "windows", path: "..\\base.vhdx" },
        { kind: "windows", path: "\\\\?\\d:\\a\\base.vhdx" },
      ],
    },
  });
  assertEquals(specific?.data, {
    "type": "differencing",
    "logical-sector-size": 4096,
    "physical-sector-size": 4096,
    "disk-id": guidOf(3),
    "data-write-guid": guidOf(2),
    "parent-data-write-guid": guidOf(0xab),
    "parent-names": ["..\\base.vhdx", "\\\\?\\d:\\a\\base.vhdx"],
  });
});
