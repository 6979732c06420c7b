// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { LzfseDecoder } from "../../src/codec/lzfse.ts";
import { readVersion2 } from "../../src/codec/lzfse_header.ts";
import { LZFSE_SAMPLES, lzfseSample as sample, sampleContent } from "../support/lzfse_samples.ts";

const END = [...bytesOf("bvx$")];

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function word(value: number): number[] {
  return [value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >>> 24];
}

/** What a piece of so many bytes is; undefined if it is none. */
function decoded(
  stored: Uint8Array | readonly number[],
  lengthBytes: number,
): Uint8Array | undefined {
  const piece = new Uint8Array(lengthBytes);
  return new LzfseDecoder().decompress(Uint8Array.from(stored), piece) ? piece : undefined;
}

/** A block of LZVN, and the end. */
function lzvn(codes: readonly number[], lengthBytes: number): number[] {
  const block = [...codes, 6, 0, 0, 0, 0, 0, 0, 0];
  return [...bytesOf("bvxn"), ...word(lengthBytes), ...word(block.length), ...block, ...END];
}

function plain(bytes: readonly number[]): number[] {
  return [...bytesOf("bvx-"), ...word(bytes.length), ...bytes];
}

/** The sample with its header as the first version has it, which encoders do not write any more. */
function withVersion1(stored: Uint8Array<ArrayBuffer>): Uint8Array {
  const view = new DataView(stored.buffer);
  const header = readVersion2(view, 0);
  assert(header !== undefined);
  const bytes = new Uint8Array(772);
  const to = new DataView(bytes.buffer);
  bytes.set(bytesOf("bvx1"));
  const { literals, matches, literalBytes, matchBytes } = header;
  const words = [view.getUint32(4, true), 0, literals, matches, literalBytes, matchBytes];
  for (const [index, value] of words.entries()) to.setUint32(4 + 4 * index, value, true);
  to.setInt32(28, -header.literalBitsLess, true);
  to.setInt32(40, -header.matchBitsLess, true);
  const { literalStates, lengthState, matchState, distanceState, frequencies } = header;
  for (const [index, state] of literalStates.entries()) to.setUint16(32 + 2 * index, state, true);
  for (const [index, state] of [lengthState, matchState, distanceState].entries()) {
    to.setUint16(44 + 2 * index, state, true);
  }
  for (const [index, frequency] of frequencies.flatMap((some) => [...some]).entries()) {
    to.setUint16(50 + 2 * index, frequency, true);
  }
  return Buffer.concat([bytes, stored.subarray(header.headerBytes)]);
}

Deno.test("LzfseDecoder decompresses what Apple's encoder writes, whatever follows", () => {
  const marks = [...LZFSE_SAMPLES.keys()].map((lengthBytes) => {
    const stored = sample(lengthBytes);
    for (const end of [[], [0], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
      const piece = decoded([...stored, ...end], lengthBytes);
      assertEquals(Buffer.compare(piece ?? Buffer.of(), sampleContent(lengthBytes)), 0);
    }
    return new TextDecoder().decode(stored.subarray(0, 4));
  });
  assertEquals(marks, ["bvx-", "bvxn", "bvx2"]);
});

Deno.test("LzfseDecoder decompresses blocks of the first version", () => {
  const piece = decoded(withVersion1(sample(12288)), 12288);
  assertEquals(Buffer.compare(piece ?? Buffer.of(), sampleContent(12288)), 0);
});

Deno.test("LzfseDecoder decompresses one block after the other, by one decoder", () => {
  const parts = [5, 12288, 1024, 12288, 5];
  const stored = Buffer.concat(
    [...parts.map((part) => sample(part).subarray(0, -4)), Uint8Array.from(END)],
  );
  const content = Buffer.concat(parts.map(sampleContent));
  using decoder = new LzfseDecoder();
  const piece = new Uint8Array(content.length);
  for (let round = 0; round < 3; round++) {
    assert(decoder.decompress(stored, piece.fill(0)));
    assertEquals(Buffer.compare(piece, content), 0);
    assertFalse(decoder.decompress(stored.subarray(0, 3000), piece));
  }
});

Deno.test("LzfseDecoder takes a piece that is short only where it may be", () => {
  using decoder = new LzfseDecoder();
  const piece = new Uint8Array(2000).fill(9);
  assertFalse(decoder.decompress(sample(1024), piece));
  assertFalse(decoder.decompress(sample(1024), piece, 1025));
  assert(decoder.decompress(sample(1024), piece, 1024));
  assertEquals(piece.slice(0, 1024), sampleContent(1024));
  assert(piece.subarray(1024).every((byte) => byte === 0));
});

Deno.test("LzfseDecoder knows every code of LZVN", () => {
  const abcd = [0xe4, 1, 2, 3, 4];
  const rows: readonly [codes: readonly number[], content: readonly number[]][] = [
    [[0xe1, 7], [7]],
    [[0xe0, 1, ...new Array<number>(17).fill(8)], new Array<number>(17).fill(8)],
    [[...abcd, 0x00, 4], [1, 2, 3, 4, 1, 2, 3]],
    [[...abcd, 0x48, 1, 9], [1, 2, 3, 4, 9, 9, 9, 9, 9]],
    [[...abcd, 0xa8, 0x0d, 0, 9], [1, 2, 3, 4, 9, 3, 4, 9, 3]],
    [[...abcd, 0xa1, 0x10, 0], [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3]],
    [[...abcd, 0x07, 2, 0], [1, 2, 3, 4, 3, 4, 3]],
    [[...abcd, 0x00, 4, 0x86, 8, 9], [1, 2, 3, 4, 1, 2, 3, 8, 9, 2, 3, 8]],
    [[...abcd, 0x00, 4, 0xf2], [1, 2, 3, 4, 1, 2, 3, 4, 1]],
    [[0xe1, 5, 0x00, 1, 0xf0, 2], new Array<number>(22).fill(5)],
    [[0x0e, 0xe1, 5, 0x16], [5]],
  ];
  for (const [codes, content] of rows) {
    assertEquals(
      [...decoded(lzvn(codes, content.length), content.length) ?? []],
      content,
      `${codes}`,
    );
  }
});

Deno.test("LzfseDecoder takes no block that is not one", () => {
  const one = [0xe1, 7];
  const rows: readonly (readonly [stored: readonly number[], lengthBytes: number])[] = [
    [[], 0],
    [plain([1, 2]), 2],
    [[...bytesOf("bvx?"), ...END], 0],
    [[...bytesOf("bvx-"), ...word(2 ** 31), 1, ...END], 1],
    [[...bytesOf("bvx2"), ...new Array<number>(28).fill(0), ...END], 0],
    [[...plain([1, 2]), ...END], 1],
    [[...plain([1, 2]), ...END], 3],
    // longer or shorter than it says
    [lzvn(one, 2), 2],
    [lzvn([...one, ...one], 1), 1],
    [lzvn([0xe5, 1, 2], 5), 5],
    // from in front of the piece, or from nowhere
    [lzvn([...one, 0x00, 2], 4), 4],
    [lzvn([...one, 0x00, 0], 4), 4],
    [lzvn([...one, 0xf3], 4), 4],
    // codes that mean nothing
    ...[0x1e, 0x26, 0x3e, 0x70, 0x7f, 0xd0, 0xdf].map((code) =>
      [lzvn([...one, code], 1), 1] as const
    ),
  ];
  for (const [stored, lengthBytes] of rows) {
    assertEquals(decoded(stored, lengthBytes), undefined, `${stored}`);
  }
  const many = new Array<number[]>(3000).fill(plain([])).flat();
  assertEquals(decoded([...many, ...END], 0), undefined);
});

Deno.test("LzfseDecoder survives any damage", () => {
  using decoder = new LzfseDecoder();
  for (const stored of [sample(1024), sample(12288), withVersion1(sample(12288))]) {
    const change = fc.record({
      at: fc.oneof(fc.nat(60), fc.nat(stored.length - 1)),
      byte: fc.nat(255),
    });
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(stored.length), (some, length) => {
        const damaged = Uint8Array.from(stored.subarray(0, length % 3 === 0 ? length : undefined));
        for (const { at, byte } of some) if (at < damaged.length) damaged[at] = byte;
        decoder.decompress(damaged, new Uint8Array(12288));
      }),
      { numRuns: 300 },
    );
  }
});
