// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import { AdcDecoder } from "../../src/codec/adc.ts";
import type { Decompressor } from "../../src/codec/decompressor.ts";
import { Filler } from "../../src/codec/fill.ts";
import { Inflater } from "../../src/codec/inflate.ts";
import { Libbz2 } from "../../src/codec/libbz2.ts";
import { Libdeflate } from "../../src/codec/libdeflate.ts";
import { Liblzma } from "../../src/codec/liblzma.ts";
import { ZlibDecoder } from "../../src/codec/zlib.ts";
import { ZstdDecoder } from "../../src/codec/zstd.ts";
import { CompressionMethod } from "../../src/image/decoding.ts";
import { randomNumbers } from "../support/images.ts";
import { adcOf, packedBy } from "../support/packers.ts";
import { type ConditionalTest, missingTools, testIfPossible } from "../support/tools.ts";

const PIECE = 70_000;
const random = randomNumbers(5);
const CONTENT = Uint8Array.from(
  { length: PIECE },
  (_, index) => index & 256 ? random() * 256 : index >> 12,
);

/** One decoder and what makes pieces for it. */
interface Case {
  readonly name: string;
  readonly pack: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  readonly open: () => Decompressor | undefined;
  /** Whether damage is always found. */
  readonly hasChecksum: boolean;
  readonly obstacle?: string | undefined;
}

const CASES: readonly Case[] = [
  {
    name: "ZlibDecoder with libdeflate",
    pack: (bytes) => deflateSync(bytes),
    open: () => new ZlibDecoder(Libdeflate.open()),
    hasChecksum: true,
    obstacle: Libdeflate.open() === undefined ? "libdeflate not installed" : undefined,
  },
  {
    name: "ZlibDecoder with zlib",
    pack: (bytes) => deflateSync(bytes),
    open: () => new ZlibDecoder(undefined),
    hasChecksum: true,
  },
  {
    name: "Libbz2",
    pack: (bytes) => packedBy("bzip2", bytes),
    open: () => Libbz2.open(),
    hasChecksum: true,
    obstacle: missingTools(["bzip2"]),
  },
  {
    name: "Liblzma",
    pack: (bytes) => packedBy("xz", bytes, "-1"),
    open: () => Liblzma.open(),
    hasChecksum: true,
    obstacle: missingTools(["xz"]),
  },
  { name: "AdcDecoder", pack: adcOf, open: () => new AdcDecoder(), hasChecksum: false },
];

for (const { name, pack, open, hasChecksum, obstacle } of CASES) {
  const test = (what: string, body: (decoder: Decompressor) => Promise<void>): void => {
    const fn: ConditionalTest["fn"] = async () => {
      using decoder = open();
      assert(decoder !== undefined, "the library is not installed");
      await body(decoder);
    };
    testIfPossible({ name: `${name} ${what}`, obstacle, fn });
  };

  test("decompresses a piece, whatever follows", async (decoder) => {
    const stored = await pack(CONTENT);
    const ends = hasChecksum ? [[], [0], [1, 2, 3, 4, 5, 6, 7, 8, 9]] : [[]];
    for (const end of ends) {
      const piece = new Uint8Array(PIECE);
      assert(decoder.decompress(Buffer.concat([stored, Uint8Array.from(end)]), piece));
      assertEquals(Buffer.compare(piece, CONTENT), 0);
    }
  });

  test("takes a piece that is short only where it may be", async (decoder) => {
    const stored = await pack(CONTENT.subarray(0, 5000));
    const piece = new Uint8Array(PIECE).fill(9);
    assertFalse(decoder.decompress(stored, piece));
    assertFalse(decoder.decompress(stored, piece, 5001));
    assert(decoder.decompress(stored, piece, 5000));
    assertEquals(piece.slice(0, 5000), CONTENT.slice(0, 5000));
    assert(piece.subarray(5000).every((byte) => byte === 0));
  });

  test("takes no piece from too much, too little, or nothing", async (decoder) => {
    const stored = await pack(CONTENT);
    const piece = new Uint8Array(PIECE);
    if (hasChecksum) assertFalse(decoder.decompress(stored, new Uint8Array(PIECE - 1)));
    for (const cut of [1, 3, 4, 5, 100]) {
      assertFalse(decoder.decompress(stored.subarray(0, -cut), piece), `${cut}`);
    }
    assertFalse(decoder.decompress(new Uint8Array(), piece));
    assertFalse(decoder.decompress(Uint8Array.of(1, 2, 3), piece, 0));
  });

  test("finds damage, and goes on after it", async (decoder) => {
    const stored = await pack(CONTENT.subarray(0, 3000));
    const piece = new Uint8Array(3000);
    const change = fc.record({ at: fc.nat(stored.length - 1), bit: fc.nat(7) });
    fc.assert(
      fc.property(change, ({ at, bit }) => {
        const damaged = Uint8Array.from(stored);
        damaged[at] = (damaged[at] ?? 0) ^ 1 << bit;
        const isWhole = decoder.decompress(damaged, piece);
        const isRight = Buffer.compare(piece, CONTENT.subarray(0, 3000)) === 0;
        if (hasChecksum) assertEquals(isWhole && !isRight, false);
        assert(decoder.decompress(stored, piece));
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("AdcDecoder takes no piece from what lies in front of it, or behind its end", () => {
  using decoder = new AdcDecoder();
  const whole = (stored: readonly number[], lengthBytes: number): number[] | undefined => {
    const piece = new Uint8Array(lengthBytes);
    return decoder.decompress(Uint8Array.from(stored), piece) ? [...piece] : undefined;
  };
  assertEquals(whole([0x81, 5, 6, 0x04, 0x01], 6), [5, 6, 5, 6, 5, 6]);
  assertEquals(whole([0x80, 7, 0x40, 0, 0], 5), [7, 7, 7, 7, 7]);
  assertEquals(whole([0x80, 7, 0x00, 1], 4), undefined);
  assertEquals(whole([0x80, 7, 0x40, 0, 1], 5), undefined);
  assertEquals(whole([0x80, 7, 0x40, 0], 5), undefined);
  assertEquals(whole([0x80, 7, 0x40, 0, 0], 4), undefined);
  assertEquals(whole([0x82, 7, 7], 3), undefined);
});

Deno.test("Inflater and ZstdDecoder take pieces that are short only where they may be", async () => {
  const { deflateRawSync, zstdCompressSync } = await import("node:zlib");
  const some = CONTENT.subarray(0, 5000);
  using inflater = new Inflater(undefined);
  using zstd = new ZstdDecoder(undefined);
  for (
    const [decoder, stored] of [
      [inflater, deflateRawSync(some)],
      [zstd, zstdCompressSync(some)],
    ] as const
  ) {
    const piece = new Uint8Array(PIECE).fill(9);
    assertFalse(decoder.decompress(stored, piece));
    assertFalse(decoder.decompress(stored, piece, 5001));
    assert(decoder.decompress(stored, piece, 5000));
    assertEquals(piece.slice(0, 5000), some.slice());
    assert(piece.subarray(5000).every((byte) => byte === 0));
  }
});

Deno.test("Filler repeats a pattern to the end of a piece, wherever that is", () => {
  using filler = new Filler();
  const pattern = Uint8Array.of(1, 2, 3, 4);
  for (const length of [1, 4, 5, 4096, 5002]) {
    const piece = new Uint8Array(length);
    assert(filler.decompress(pattern, piece));
    assert(piece.every((byte, index) => byte === 1 + index % 4));
  }
  assertFalse(filler.decompress(new Uint8Array(), new Uint8Array(1)));
});

Deno.test("methods of compression have numbers of their own, which threads tell each other", () => {
  const numbers = Object.values(CompressionMethod);
  assertEquals(new Set(numbers).size, numbers.length);
});
