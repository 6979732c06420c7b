// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { IndexFault, StreamIndex } from "../../../src/format/xz/index_record.ts";
import { xz } from "../../../src/format/xz/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { seededBytes } from "../../nbd/served_image.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile, sameBytes } from "../opened_image.ts";
import { buildXz, number, withSum } from "./file_builder.ts";

/** An index of these blocks, each a pair of an unpadded size and what it contains. */
function index(...blocks: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = [0, ...number(blocks.length), ...blocks.flat().flatMap(number)];
  while (bytes.length % 4 > 0) bytes.push(0);
  return Uint8Array.from(withSum(bytes));
}

Deno.test("StreamIndex tells of blocks, whatever their size", () => {
  const blocks = [[20, 1], [130, 127], [129, 128], [2 ** 40 + 5, 2 ** 52 + 3]] as const;
  const told = [...new StreamIndex(index(...blocks))];
  assertEquals(
    told.map(({ unpaddedBytes, contentBytes }) => [unpaddedBytes, contentBytes]),
    blocks.map(([unpadded, content]) => [unpadded, content]),
  );
  assertEquals([...new StreamIndex(index())], []);
});

Deno.test("StreamIndex refuses what cannot be true", () => {
  const good = [...index([20, 1], [24, 2])];
  const cases: readonly [message: string, bytes: readonly number[]][] = [
    ["the checksum of the index is wrong", good.with(3, 9)],
    ["there is no index", good.with(0, 1)],
    ["the index is too short for its blocks", withSum([0, 100, 1, 1, 1, 1, 1, 1])],
    ["the index is too long", withSum([0, 1, 20, 1, 0, 0, 0, 0])],
    ["the index is damaged", withSum([0, 1, 20, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ["the index is damaged", withSum([0, 1, 20, ...number(2 ** 60), 0])],
  ];
  for (const [message, bytes] of cases) {
    assertThrows(() => [...new StreamIndex(Uint8Array.from(bytes))], IndexFault, message);
  }
});

const PARTS = [seededBytes(4096, 1), seededBytes(1, 2), seededBytes(100_000, 3)] as const;
const [FIRST, SECOND, THIRD] = PARTS;
const DISK = Uint8Array.from(PARTS.flatMap((part) => [...part]));

function inFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  using folder = new TempDirectory();
  const path = folder.file("disk.xz");
  Deno.writeFileSync(path, bytes);
  return use(path);
}

function wholeDisk(path: string): Uint8Array {
  using opened = new OpenedImage(path, xz);
  return opened.read(0, opened.image.sizeBytes);
}

Deno.test("xz finds the blocks of one stream, or of several with padding behind them", () => {
  const none = new Uint8Array(0);
  for (
    const bytes of [
      buildXz([PARTS]),
      buildXz([[FIRST], [SECOND, THIRD]]),
      buildXz([[FIRST], [], [SECOND, none], [THIRD]], 4),
      buildXz([PARTS], 9000),
    ]
  ) {
    assert(inFile(bytes, (path) => sameBytes(wholeDisk(path), DISK)));
  }
});

Deno.test("xz describes a file without decompressing it", () => {
  const info = inFile(buildXz([[FIRST], [SECOND, THIRD]]), (path) => {
    using file = openImageFile(path);
    return xz.info?.(file);
  });
  assertEquals([info?.sizeBytes, info?.specific?.data], [DISK.length, {
    "blocks": 3,
    "largest-block": 100_000,
  }]);
});

Deno.test("xz refuses what is not whole, or something else, and says where", () => {
  const good = buildXz([[FIRST], [SECOND, THIRD]]);
  const cases: readonly [message: string, bytes: Uint8Array][] = [
    ["the file may be incomplete", good.subarray(0, good.length - 5)],
    ["the file may be incomplete", good.subarray(0, 8000)],
    ["there is no header of a stream (at 0x0)", good.with(6, 1)],
    ["the checksum of the index is wrong", good.with(good.length - 20, 77)],
    ["the file may be incomplete", buildXz([PARTS], 6)],
    ["the file is too short", Uint8Array.from([...good.subarray(0, 6), 1])],
    ["there is no stream", new Uint8Array(64)],
  ];
  for (const [message, bytes] of cases) {
    assertThrows(() => inFile(bytes, wholeDisk), ImageFormatError, message);
  }
});

Deno.test("xz tells damage in a block when it is read, and of that one only", () => {
  const bytes = buildXz([PARTS]);
  inFile(bytes.with(bytes.length - 5000, 1), (path) => {
    using opened = new OpenedImage(path, xz);
    assert(sameBytes(opened.read(0, 4097), DISK.subarray(0, 4097)));
    assertThrows(() => opened.read(4097, 10), ImageFormatError, "cannot be decompressed");
  });
});

const WAYS = [
  ["--check=none", "--block-size=64KiB"],
  ["--check=crc32", "--block-size=100000", "-T2"],
  ["--check=crc64", "-0", "-T2"],
  ["--check=sha256", "--block-size=70000", "--x86", "--lzma2=preset=1"],
  ["--block-size=64KiB", "--delta=dist=4", "--lzma2=dict=4KiB,mf=hc3"],
];

oracleTest("xz reads whatever checks, filters and sizes xz(1) uses", ["xz"], async () => {
  using folder = new TempDirectory();
  const raw = folder.file("disk");
  for (const options of WAYS) {
    Deno.writeFileSync(raw, Uint8Array.from({ length: 500_001 }, (_, at) => at % 251 * (at >>> 9)));
    const disk = Deno.readFileSync(raw);
    await must("xz", "--keep", "--force", ...options, raw);
    assert(sameBytes(wholeDisk(`${raw}.xz`), disk), options.join(" "));
  }
});

Deno.test("xz reads a file with an unknown check not at all", () => {
  // The number is in the header and in the footer, each with a checksum.
  const bytes = buildXz([PARTS]);
  const flagged = Uint8Array.from(bytes);
  const flags = [0, 2];
  flagged.set(withSum(flags), 6);
  const backward = [...bytes.subarray(bytes.length - 8, bytes.length - 4), ...flags];
  const [, , , , , , ...sum] = withSum(backward);
  flagged.set([...sum, ...backward], bytes.length - 12);
  assertThrows(() => inFile(flagged, wholeDisk), UnsupportedFeatureError, "checks of type 2");
});
