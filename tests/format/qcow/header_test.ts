// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { parseHeader } from "../../../src/format/qcow/header.ts";
import type { Header } from "../../../src/format/qcow/header_types.ts";
import {
  CompressionType,
  ExtensionType,
  HEADER,
  HEADER_V3_BYTES,
} from "../../../src/format/qcow/layout.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { IoBuffer } from "../../../src/sys/memory.ts";
import { buildImage, featureNames } from "./image_builder.ts";

const CLUSTER = 4096;

function parse(bytes: Uint8Array): Header {
  const head = new IoBuffer(Math.max(bytes.length, CLUSTER));
  head.bytes.set(bytes);
  return parseHeader({ head, path: "disk.qcow2", sizeBytes: bytes.length });
}

type Parts = Parameters<typeof buildImage>[0];

Deno.test("parseHeader() reads version 2 and version 3", () => {
  for (const version of [2, 3] as const) {
    assertEquals(parse(buildImage({ header: { version } })), {
      version,
      clusterBits: 12,
      clusterBytes: CLUSTER,
      sizeBytes: 2 * 1024 * 1024,
      l1Offset: CLUSTER,
      l1Entries: 1,
      l1AllEntries: 1,
      compressionType: CompressionType.zlib,
      cryptMethod: 0,
      extendedL2: false,
      l2EntryBits: 3,
      refcounts: { tableOffset: CLUSTER, tableEntries: CLUSTER / 8, order: 4 },
      snapshots: { offset: 0, entries: 0 },
      corrupt: false,
      dirty: false,
      incompatible: 0n,
      autoclear: 0n,
      extensions: {
        kept: new Map(),
        startBytes: version === 2 ? HEADER.sizeBytes : HEADER_V3_BYTES,
        endBytes: version === 2 ? HEADER.sizeBytes : HEADER_V3_BYTES,
      },
      backing: undefined,
      hasDataFile: false,
      dataFileName: undefined,
    });
  }
});

Deno.test("parseHeader() rounds the size down to whole sectors", () => {
  assertEquals(parse(buildImage({ header: { size: 1023 } })).sizeBytes, 512);
  assertEquals(parse(buildImage({ header: { size: 0, l1_size: 0 } })).sizeBytes, 0);
});

Deno.test("parseHeader() counts only the L1 entries that the disk needs", () => {
  const header = { size: 512, l1_size: 100 };
  assertEquals(parse(buildImage({ header })).l1Entries, 1);
});

Deno.test("parseHeader() keeps the last of each extension that matters, and where all are", () => {
  const { backingFormat, featureNameTable } = ExtensionType;
  const extensions = [
    { type: 0x11223344, data: Uint8Array.of(1, 2, 3) },
    { type: backingFormat, data: Uint8Array.of(1) },
    { type: featureNameTable, data: featureNames([{ type: 0, bit: 7, name: "x" }]) },
    { type: backingFormat, data: Uint8Array.of(2, 3) },
  ];
  assertEquals(parse(buildImage({ extensions })).extensions, {
    kept: new Map([[backingFormat, Uint8Array.of(2, 3)]]),
    startBytes: HEADER_V3_BYTES,
    endBytes: HEADER_V3_BYTES + 16 + 16 + 8 + 48 + 16,
  });
});

Deno.test("parseHeader() keeps nothing of extensions it does not know, however many there are", () => {
  const head = new IoBuffer(CLUSTER);
  head.bytes.set(buildImage().subarray(0, HEADER_V3_BYTES));
  for (let at = HEADER_V3_BYTES; at < CLUSTER; at += 8) head.view.setUint32(at, 0x11223344);
  const { extensions } = parseHeader({ head, path: "disk.qcow2", sizeBytes: 8 * CLUSTER });
  assertEquals([extensions.kept.size, extensions.endBytes], [0, CLUSTER]);
});

Deno.test("parseHeader() tells that an image is marked as corrupt", () => {
  assertEquals(parse(buildImage({ headerV3: { incompatible_features: 2 } })).corrupt, true);
});

Deno.test("parseHeader() reads a dirty image, and one with unknown compatible features", () => {
  parse(buildImage({ headerV3: { incompatible_features: 1, compatible_features: 0xff00 } }));
  parse(buildImage({ headerV3: { autoclear_features: 1n << 40n } }));
});

const UNSUPPORTED: readonly [feature: string, parts: Parts][] = [
  ["version 1", { header: { version: 1 } }],
  ["version 4", { header: { version: 4 } }],
  ["encryption method 3", { header: { crypt_method: 3 } }],
  ["compression type 9", { headerV3: { incompatible_features: 8 }, compressionType: 9 }],
  ["a disk of 8 PiB or more", { header: { size: 2n ** 53n } }],
  ["a disk of 8 PiB or more", { header: { size: 2n ** 64n - 1n } }],
  ["unknown incompatible feature bit 5", { headerV3: { incompatible_features: 32 } }],
  ["unknown incompatible feature bits 6 (tele\x1bport), 63", {
    headerV3: { incompatible_features: (1n << 63n) | 64n },
    extensions: [
      { type: 0x12345678, data: new Uint8Array(5) },
      {
        type: ExtensionType.featureNameTable,
        data: featureNames([
          { type: 1, bit: 63, name: "not this one" },
          { type: 0, bit: 6, name: "tele\x1bport" },
        ]),
      },
    ],
  }],
];

for (const [feature, parts] of UNSUPPORTED) {
  Deno.test(`parseHeader() refuses by name: ${feature}`, () => {
    const error = assertThrows(() => parse(buildImage(parts)), UnsupportedFeatureError);
    assertEquals([error.feature, error.format, error.path], [feature, "QCOW", "disk.qcow2"]);
  });
}

const DAMAGED: readonly [message: string, parts: Parts][] = [
  ["this is no QCOW image", { header: { magic: 0x514649fc } }],
  ["clusters of 2^8 bytes are not possible", { header: { cluster_bits: 8 } }],
  ["clusters of 2^22 bytes are not possible", { header: { cluster_bits: 22 } }],
  ["a header of 103 bytes is not possible", { headerV3: { header_length: 103 } }],
  ["a header of 4097 bytes is not possible", { headerV3: { header_length: CLUSTER + 1 } }],
  ["clusters of 2^13 bytes cannot have subclusters", {
    clusterBits: 13,
    headerV3: { incompatible_features: 16 },
  }],
  ["the L1 table is too small for the disk", {
    clusterBits: 14,
    header: { size: 2 ** 24 + 1 },
    headerV3: { incompatible_features: 16 },
  }],
  ["compression type 0 contradicts the feature bits", {
    headerV3: { incompatible_features: 8 },
  }],
  ["compression type 1 contradicts the feature bits", { compressionType: 1 }],
  ["the image claims a raw external data file, but has none", {
    headerV3: { autoclear_features: 2 },
  }],
  ["the backing file name lies outside the first cluster", {
    header: { backing_file_offset: CLUSTER + 1 },
  }],
  ["the backing file name is too long", {
    header: { backing_file_offset: CLUSTER - 3, backing_file_size: 4 },
  }],
  ["reference counts of 2^7 bits are not possible", { headerV3: { refcount_order: 7 } }],
  ["there is no refcount table", { header: { refcount_table_clusters: 0 } }],
  ["refcount table too large", { header: { refcount_table_clusters: 0xffffffff } }],
  ["refcount_table_offset 0x1001 is not aligned", { header: { refcount_table_offset: 4097 } }],
  ["refcount_table_offset 0xfffffffffffff000 is not in any file", {
    header: { refcount_table_offset: 2n ** 64n - 4096n },
  }],
  ["snapshots_offset 0x8000000000000000 is not in any file", {
    header: { nb_snapshots: 1, snapshots_offset: 2n ** 63n },
  }],
  ["snapshot table too large", { header: { nb_snapshots: 65537 } }],
  ["snapshots_offset 0x8 is not aligned", { header: { nb_snapshots: 1, snapshots_offset: 8 } }],
  ["L1 table too large", { header: { l1_size: 4 * 1024 * 1024 + 1 } }],
  ["l1_table_offset 0x1200 is not aligned", { header: { l1_table_offset: 4608 } }],
  ["the L1 table lies outside the file", { header: { l1_size: 4096 } }],
  ["the L1 table lies outside the file", { header: { l1_table_offset: 2n ** 62n } }],
  ["the L1 table is too small for the disk", { header: { size: 2 * 1024 * 1024 + 1 } }],
  ["a header extension is too long", {
    header: { backing_file_offset: 256 },
    extensions: [{ type: 1, data: new Uint8Array(1000) }],
  }],
  ["the name of the backing file's format is too long", {
    extensions: [{ type: ExtensionType.backingFormat, data: new Uint8Array(16) }],
  }],
  ["the name of the external data file is too long", {
    clusterBits: 16,
    extensions: [{ type: ExtensionType.dataFile, data: new Uint8Array(4097) }],
  }],
  ["the place of the encryption header is too long", {
    extensions: [{ type: ExtensionType.encryptionHeader, data: new Uint8Array(17) }],
  }],
  ["a header extension is cut off", {
    header: { backing_file_offset: HEADER_V3_BYTES + 12 },
    extensions: [{ type: 1, data: new Uint8Array(0) }],
  }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`parseHeader() refuses damage: ${message}`, () => {
    assertThrows(() => parse(buildImage(parts)), ImageFormatError, message);
  });
}

Deno.test("parseHeader() refuses files too short for a header", () => {
  const message = "the file is too short for a header";
  for (const lengthBytes of [0, 4, 71, 103]) {
    const bytes = buildImage().subarray(0, lengthBytes);
    assertThrows(() => parse(bytes), ImageFormatError, message);
  }
});
