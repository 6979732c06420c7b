// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import { checkImage } from "../../src/disk/check_image.ts";
import { ChunkType as SparseType } from "../../src/format/android_sparse/layout.ts";
import { CHECKSUM, ChunkType, TABLE, TRAILER } from "../../src/format/dmg/layout.ts";
import type { Repair } from "../../src/image/checking.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../src/image/errors.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { BLOCK, buildSparse, fillChunk, rawChunk } from "../format/android_sparse/image_builder.ts";
import { androidSparseOriginal } from "../format/android_sparse/original.ts";
import { buildDmg, Compressed, SECTOR } from "../format/dmg/image_builder.ts";
import { dmgOriginals } from "../format/dmg/original.ts";
import { buildEwf, DISK, type EwfOptions } from "../format/ewf/image_builder.ts";
import { ewfOriginal } from "../format/ewf/original.ts";
import { mutated, type Original } from "../format/mutations.ts";
import { randomNumbers } from "../support/images.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";

// It stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const MUTATIONS = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 300);

/** How many faults the check of an image finds, and the first one. */
function check(
  path: string,
  format: string,
  repair: Repair = "none",
): [faults: number | undefined, first: string] {
  const request = { format, readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const faults: string[] = [];
  const { result } = checkImage(path, { request, ignoreLocks: false }, {
    repair,
    report: (line) => faults.push(line),
  });
  return [result?.corruptions, faults[0] ?? ""];
}

function checkBytes(bytes: Uint8Array, format: string): ReturnType<typeof check> {
  using folder = new TempDirectory(memoryFolder());
  Deno.writeFileSync(folder.file("image.E01"), bytes);
  return check(folder.file("image.E01"), format);
}

const digest = (method: string): Uint8Array => createHash(method).update(DISK).digest();
const SUMS = { md5: digest("md5"), sha1: digest("sha1") };

Deno.test("checkImage() compares an EWF image's digests with its disk", () => {
  const of = (options: EwfOptions): ReturnType<typeof check> =>
    checkBytes(buildEwf(options), "EWF");
  assertEquals(of({}), [0, ""]);
  assertEquals(of({ md5: SUMS.md5 }), [0, ""]);
  assertEquals(of(SUMS), [0, ""]);
  assertEquals(of({ ...SUMS, sha1: new Uint8Array(20) }), [0, ""]);
  const other = new Uint8Array(20).fill(1);
  const said = `is ${SUMS.sha1.toHex()}, and should be ${"01".repeat(20)}`;
  assertEquals(of({ ...SUMS, sha1: other }), [1, `the SHA1 of the disk ${said}`]);
  // The section "digest" has it, too.
  assertEquals(of({ ...SUMS, md5: other.subarray(0, 16) })[0], 2);
});

Deno.test("checkImage() says which bytes of an EWF image cannot be read, and not that digests differ", () => {
  const bytes = buildEwf(SUMS);
  const at = bytes.findIndex((_, at) =>
    bytes.subarray(at, at + 8).every((byte, n) => byte === DISK[4096 + n])
  );
  bytes[at + 100] = (bytes[at + 100] ?? 0) ^ 1;
  const [faults, first] = checkBytes(bytes, "EWF");
  assertEquals([faults, first.startsWith(`${DISK.length} bytes at 0x0 cannot be read: `)], [
    1,
    true,
  ]);
});

Deno.test("checkImage() needs all segments of an EWF image", () => {
  const whole = buildEwf({ goesOn: true });
  assertThrows(() => checkBytes(whole, "EWF"), RelatedFileError, "image.E02");
});

Deno.test("checkImage() compares all checksums of a sparse image of Android's", () => {
  const content = [
    new Uint8Array(2 * BLOCK).fill(0x11),
    new Uint8Array(3 * BLOCK),
    new Uint8Array(BLOCK).map((_, at) => 1 + at % 4),
  ];
  const sums = [1, 2, 3].map((count) =>
    crc32(Uint8Array.from(content.slice(0, count).flatMap((part) => [...part])))
  );
  const sum = (value: number): Parameters<typeof buildSparse>[0] => ({
    header: { image_checksum: value },
  });
  const chunk = (value: number) => ({
    type: SparseType.crc32,
    blocks: 0,
    stored: new Uint8Array(Uint32Array.of(value).buffer),
  });
  const [first = 0, second = 0, third = 0] = sums;
  const image = (values: readonly [number, number, number], last = 0) =>
    checkBytes(
      buildSparse({
        ...sum(last),
        chunks: [
          rawChunk(2, 0x11),
          chunk(values[0]),
          { type: SparseType.dontCare, blocks: 3 },
          chunk(values[1]),
          fillChunk(1, 1, 2, 3, 4),
          chunk(values[2]),
        ],
      }),
      "ANDROID-SPARSE",
    );
  assertEquals(image([first, second, third]), [0, ""]);
  assertEquals(image([first, second, third], third), [0, ""]);
  const said = `is ${second.toString(16).padStart(8, "0")}, and should be 00000001`;
  assertEquals(image([first, 1, third]), [1, `the CRC32 of the first ${5 * BLOCK} bytes ${said}`]);
  assertEquals(image([first, second, third], 1)[0], 1);
});

/** Zeros belong to the checksum of a table, free space does not. */
function summedDmg(change: number, master = 0): Uint8Array {
  const stored = new Uint8Array(8 * SECTOR).fill(5);
  const bytes = buildDmg({
    sectors: 64,
    place: "resources",
    tables: [{
      first: 8,
      entries: [
        { type: Compressed.zlib, sector: 8, sectors: 8, stored: deflateSync(stored) },
        { type: ChunkType.free, sector: 16, sectors: 8 },
        { type: ChunkType.zero, sector: 24, sectors: 4 },
      ],
    }],
  });
  const table = bytes.findIndex((_, at) =>
    bytes.subarray(at, at + 4).every((byte, n) => byte === "mish".charCodeAt(n))
  );
  const trailer = bytes.length - TRAILER.sizeBytes;
  const sum = crc32(new Uint8Array(4 * SECTOR), crc32(stored)) + change;
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => {
    view.setUint32(at + CHECKSUM.type, CHECKSUM.crc32);
    view.setUint32(at + CHECKSUM.bits, 32);
    view.setUint32(at + CHECKSUM.value, value);
  };
  put(table + TABLE.offsets.checksum, sum);
  const start = table + TABLE.offsets.checksum + CHECKSUM.value;
  put(trailer + TRAILER.offsets.master_checksum, crc32(bytes.slice(start, start + 4)) + master);
  return bytes;
}

Deno.test("checkImage() compares the checksums of a DMG image's tables", () => {
  assertEquals(checkBytes(summedDmg(0), "DMG"), [0, ""]);
  const [faults, first] = checkBytes(summedDmg(1), "DMG");
  assertEquals([faults, first.startsWith("the CRC32 of table 0 (from sector 8 on) is ")], [
    1,
    true,
  ]);
  assertThrows(
    () => checkBytes(summedDmg(0, 1), "DMG"),
    ImageFormatError,
    "of the checksums is wrong",
  );
});

Deno.test("checkImage() repairs no content", () => {
  using folder = new TempDirectory(memoryFolder());
  Deno.writeFileSync(folder.file("x.E01"), buildEwf(SUMS));
  assertThrows(
    () => check(folder.file("x.E01"), "EWF", "all"),
    UnsupportedFeatureError,
    "a repair",
  );
});

const ORIGINALS: readonly [format: string, original: Original][] = [
  ["EWF", { ...ewfOriginal(), bytes: buildEwf(SUMS) }],
  ["ANDROID-SPARSE", androidSparseOriginal()],
  ...dmgOriginals().map((original): [string, Original] => ["DMG", original]),
];

for (const [format, original] of ORIGINALS) {
  Deno.test(`checkImage() survives damaged images: ${format}, ${original.structures.length}`, () => {
    using folder = new TempDirectory(memoryFolder());
    const random = randomNumbers(16);
    for (let n = 0; n < MUTATIONS; n++) {
      Deno.writeFileSync(folder.file("x.E01"), mutated(original, random));
      try {
        check(folder.file("x.E01"), format);
      } catch (error) {
        const isExpected = error instanceof ImageFormatError || error instanceof RangeError ||
          error instanceof UnsupportedFeatureError || error instanceof RelatedFileError;
        if (!isExpected) throw new Error(`image ${n}`, { cause: error });
      }
    }
  });
}
