// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import type { Decompressor } from "../../src/codec/decompressor.ts";
import { Inflater } from "../../src/codec/inflate.ts";
import { Libdeflate } from "../../src/codec/libdeflate.ts";
import { Libzstd } from "../../src/codec/libzstd.ts";
import { frameEnd, ZstdDecoder } from "../../src/codec/zstd.ts";
import { randomNumbers } from "../support/images.ts";
import { testIfPossible } from "../support/tools.ts";

const CLUSTER = 65536;
const random = randomNumbers(7);
const CONTENT = Uint8Array.from(
  { length: CLUSTER },
  (_, index) => index & 256 ? random() * 256 : 97 + random() * 4,
);
/** Deno's encoder puts an empty frame behind one that does not fit into a chunk. */
const CHUNK_BYTES = 2 ** 20;
const FRAME: Uint8Array = compressed(CONTENT);
const SKIPPABLE = Uint8Array.of(0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9);

/** Decompresses whole clusters; undefined where there is none. */
function wholeBy(
  decompressor: Decompressor,
): (stored: Uint8Array, clusterBytes: number) => Uint8Array | undefined {
  return (stored, clusterBytes) => {
    const cluster = new Uint8Array(clusterBytes);
    return decompressor.decompress(stored, cluster) ? cluster : undefined;
  };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function compressed(
  bytes: Uint8Array,
  params: Readonly<Record<number, number | boolean>> = {},
): Uint8Array {
  return zstdCompressSync(bytes, { chunkSize: CHUNK_BYTES, params });
}

type Decode = ReturnType<typeof wholeBy>;

interface Optional {
  open(): Disposable | undefined;
}

/** Why a test that needs a library cannot be run, if so. */
function missing(name: string, library: Optional): string | undefined {
  using opened = library.open();
  return opened === undefined ? `${name} not installed` : undefined;
}

/** Registers a test of a decoder of frames with and without the library that may be there. */
function zstdTest(name: string, body: (decode: Decode) => void): void {
  Deno.test(`ZstdDecoder with streams ${name}`, () => {
    using decoder = new ZstdDecoder(undefined);
    body(wholeBy(decoder));
  });
  const fn = (): void => {
    using decoder = new ZstdDecoder(Libzstd.open());
    body(wholeBy(decoder));
  };
  const obstacle = missing("libzstd", Libzstd);
  testIfPossible({ name: `ZstdDecoder with libzstd ${name}`, obstacle, fn });
}

const GOOD = new Map<string, Uint8Array>([
  ["a frame", FRAME],
  ["zeros after it", joined(FRAME, new Uint8Array(511))],
  ["another frame after it", joined(FRAME, FRAME)],
  ["garbage after it", joined(FRAME, CONTENT)],
  ["half a frame after it", joined(FRAME, FRAME.subarray(0, 100))],
  ["a checksum", compressed(CONTENT, { [constants.ZSTD_c_checksumFlag]: true })],
  ["an empty frame after it", zstdCompressSync(CONTENT)],
  ["two frames", joined(compressed(CONTENT.subarray(0, 999)), compressed(CONTENT.subarray(999)))],
  ["an empty frame before it", joined(compressed(new Uint8Array()), FRAME)],
  ["a frame to skip before it", joined(SKIPPABLE, FRAME)],
  ["many frames to skip before it", joined(...new Array<Uint8Array>(1023).fill(SKIPPABLE), FRAME)],
]);

for (const [name, stored] of GOOD) {
  zstdTest(`decodes a cluster with ${name}`, (decode) => {
    assertEquals(Buffer.compare(decode(stored, CLUSTER) ?? new Uint8Array(), CONTENT), 0);
  });
}

const BAD = new Map<string, Uint8Array>([
  ["nothing", new Uint8Array()],
  ["zeros", new Uint8Array(1000)],
  ["a deflate stream", Uint8Array.of(0x4b, 0x04, 0x00, 0, 0, 0, 0, 0, 0)],
  ["a frame that is cut off", FRAME.subarray(0, -1)],
  ["a frame of less than a cluster", compressed(CONTENT.subarray(1))],
  ["a frame of more than a cluster", compressed(new Uint8Array(CLUSTER + 1))],
  ["a frame of far more than a cluster", compressed(new Uint8Array(2 ** 26))],
  ["two frames of more than a cluster", joined(compressed(CONTENT.subarray(1)), FRAME)],
  ["frames to skip without end", joined(SKIPPABLE, SKIPPABLE, SKIPPABLE)],
  // not for any reason but that it takes long
  ["too many frames", joined(...new Array<Uint8Array>(1024).fill(SKIPPABLE), FRAME)],
  ["a checksum that is wrong", wrongChecksum()],
  // 64 KiB of one byte, in a block that is no longer than a cluster
  ["a block longer than its window", repeated(0x00, 0x00)],
  ["a window larger than streams take", repeated(0x00, 0x90)],
  ["a content size that is none", repeated(0xe0, ...new Array<number>(8).fill(0xff))],
]);

function repeated(...header: readonly number[]): Uint8Array {
  const block = CLUSTER << 3 | 0x3;
  const bytes = [
    0x28,
    0xb5,
    0x2f,
    0xfd,
    ...header,
    block & 0xff,
    block >> 8 & 0xff,
    block >> 16,
    7,
  ];
  return Uint8Array.from([...bytes, ...new Array<number>(20).fill(0)]);
}

function wrongChecksum(): Uint8Array {
  const frame = compressed(CONTENT, { [constants.ZSTD_c_checksumFlag]: true });
  const last = frame.length - 1;
  return frame.map((byte, index) => index === last ? byte ^ 1 : byte);
}

for (const [name, stored] of BAD) {
  zstdTest(`takes no cluster from ${name}`, (decode) => {
    assertEquals(decode(stored, CLUSTER), undefined);
  });
}

Deno.test("frameEnd() finds the end of any frame zstd makes", () => {
  const contents = fc.oneof(
    fc.uint8Array({ maxLength: 5000 }),
    fc.nat(300_000).map((length) => new Uint8Array(length)),
    fc.nat(300_000).map((length) => CONTENT.subarray(0, length)),
  );
  const checksum = fc.boolean();
  const level = fc.integer({ min: 1, max: 12 });
  const after = fc.uint8Array({ maxLength: 20 });
  fc.assert(fc.property(contents, checksum, level, after, (bytes, sum, degree, rest) => {
    const frame = compressed(bytes, {
      [constants.ZSTD_c_checksumFlag]: sum,
      [constants.ZSTD_c_compressionLevel]: degree,
    });
    assertEquals(frameEnd(joined(rest, frame, rest), rest.length), rest.length + frame.length);
  }));
});

// What is taken from a damaged frame differs between versions of the library.
zstdTest("decodes a cluster after any damage", (decode) => {
  const change = fc.record({ at: fc.nat(FRAME.length - 1), byte: fc.nat(255) });
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
    const damaged = Uint8Array.from(FRAME);
    for (const { at, byte } of changes) damaged[at] = byte;
    decode(damaged, CLUSTER);
    assertEquals(Buffer.compare(decode(FRAME, CLUSTER) ?? new Uint8Array(), CONTENT), 0);
  }));
});

/** Headers with the content size in 1, 4 and 8 bytes, which Deno's encoder never writes. */
const SIZED_HEADERS: readonly [descriptor: number, field: readonly number[]][] = [
  [0x20, [200]],
  [0xa0, [200, 0, 0, 0]],
  [0xe0, [200, 0, 0, 0, 0, 0, 0, 0]],
  [0x80, [0x58, 200, 0, 0, 0]],
  [0xc0, [0x58, 200, 0, 0, 0, 0, 0, 0, 0]],
];

for (const [descriptor, field] of SIZED_HEADERS) {
  zstdTest(`decodes a frame with descriptor ${descriptor.toString(16)}`, (decode) => {
    const raw = Uint8Array.of(0x20, 0x03, 0x00, ...new Uint8Array(100).fill(5)); // 100 bytes
    const repeated = Uint8Array.of(0x23, 0x03, 0x00, 6); // 100 times 6, the last block
    const frame = joined(
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...field),
      raw,
      repeated,
    );
    const expected = new Uint8Array(200).fill(5, 0, 100).fill(6, 100);
    assertEquals(frameEnd(joined(frame, frame), 0), frame.length);
    assertEquals(Uint8Array.from(decode(joined(frame, frame), 200) ?? []), expected);
  });
}

const DEFLATED: Uint8Array = deflateRawSync(CONTENT);
const NOT_ENDED: Uint8Array = deflateRawSync(CONTENT, { finishFlush: constants.Z_SYNC_FLUSH });
const GOOD_DEFLATED = new Map<string, Uint8Array>([
  ["a stream", DEFLATED],
  ["garbage after it", joined(DEFLATED, CONTENT)],
  ["a stream that goes on", deflateRawSync(joined(CONTENT, CONTENT))],
  ["a stream that is not ended", NOT_ENDED],
]);

const BAD_DEFLATED = new Map<string, Uint8Array>([
  ["nothing", new Uint8Array()],
  ["zeros", new Uint8Array(1000)],
  ["a frame of the other kind", FRAME],
  ["a stream that is cut off", DEFLATED.subarray(0, 1000)],
  ["a stream of less than a cluster", deflateRawSync(CONTENT.subarray(1))],
  ["a zlib header before it", joined(Uint8Array.of(0x78, 0x9c), DEFLATED)],
  // qemu refuses that, too: zlib looks at the next block before it says that a cluster is full
  ["damage right behind it", joined(NOT_ENDED.subarray(0, -1), Uint8Array.of(0))],
]);

/** Registers a test of an inflater with and without the library that may be there. */
function inflaterTest(name: string, body: (inflate: Decode) => void): void {
  Deno.test(`Inflater with zlib ${name}`, () => {
    using inflater = new Inflater(undefined);
    body(wholeBy(inflater));
  });
  const fn = (): void => {
    using inflater = new Inflater(Libdeflate.open());
    body(wholeBy(inflater));
  };
  const obstacle = missing("libdeflate", Libdeflate);
  testIfPossible({ name: `Inflater with libdeflate ${name}`, obstacle, fn });
}

for (const [name, stored] of GOOD_DEFLATED) {
  inflaterTest(`decodes a cluster with ${name}`, (inflate) => {
    assertEquals(Buffer.compare(inflate(stored, CLUSTER) ?? new Uint8Array(), CONTENT), 0);
  });
}

for (const [name, stored] of BAD_DEFLATED) {
  inflaterTest(`takes no cluster from ${name}`, (inflate) => {
    assertEquals(inflate(stored, CLUSTER), undefined);
  });
}

inflaterTest("goes on after damage, and with other sizes", (inflate) => {
  assertEquals(inflate(FRAME, CLUSTER), undefined);
  assertEquals(inflate(deflateRawSync(CONTENT.subarray(0, 512)), 512), CONTENT.slice(0, 512));
  assertEquals(Buffer.compare(inflate(DEFLATED, CLUSTER) ?? new Uint8Array(), CONTENT), 0);
});

inflaterTest("takes no cluster from fixed codes that mean nothing", (inflate) => {
  // a zero, its repetition by the code for 258 bytes or by the next one, the end of the block
  assertEquals(inflate(Uint8Array.of(0x63, 0x18, 0x05, 0x00), 259), new Uint8Array(259));
  assertEquals(inflate(Uint8Array.of(0x63, 0x18, 0x03, 0x00), 259), undefined);
  // the same behind an empty stored block
  const stored = [0x00, 0x00, 0x00, 0xff, 0xff];
  assertEquals(inflate(Uint8Array.of(...stored, 0x63, 0x18, 0x05, 0x00), 259), new Uint8Array(259));
  assertEquals(inflate(Uint8Array.of(...stored, 0x63, 0x18, 0x03, 0x00), 259), undefined);
});

inflaterTest("takes no cluster from more codes than there are", (inflate) => {
  for (const [first, second] of [[0xf4, 0x00], [0x04, 0x1e]] as const) {
    const damaged = DEFLATED.slice();
    damaged[0] = (damaged[0] ?? 0) | first;
    damaged[1] = (damaged[1] ?? 0) | second;
    assertEquals(inflate(damaged, CLUSTER), undefined);
  }
});

inflaterTest("takes from damaged streams what zlib takes from them", (inflate) => {
  using plain = new Inflater(undefined);
  const inflateByZlib = wholeBy(plain);
  const content = CONTENT.subarray(0, 2048);
  const stored = deflateRawSync(content);
  const changes = fc.array(fc.tuple(fc.nat(stored.length - 1), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(changes, (list) => {
      const damaged = Uint8Array.from(stored);
      for (const [at, byte] of list) damaged[at] = byte;
      assertEquals(inflate(damaged, content.length), inflateByZlib(damaged, content.length));
    }),
    // Of 18,000 damaged streams or so, libdeflate takes one that zlib does not: the same ones each time.
    { numRuns: 3000, seed: 20_190_101 },
  );
});
