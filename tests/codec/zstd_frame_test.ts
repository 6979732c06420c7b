// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { parseFrameHeader } from "../../src/codec/zstd_frame.ts";

const MIB = 1024 * 1024;

Deno.test("parseFrameHeader() tells the window and the size of what is stored", () => {
  const frame = (descriptor: number, ...bytes: number[]): Uint8Array =>
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...bytes);
  const header = (bytes: Uint8Array): readonly unknown[] => {
    const { windowBytes, contentBytes, needsDictionary, headerBytes } = parseFrameHeader(bytes) ??
      {};
    assertEquals(headerBytes, bytes.length);
    return [windowBytes, contentBytes, needsDictionary];
  };
  assertEquals(header(frame(0x20, 200)), [200, 200, false]);
  assertEquals(header(frame(0x60, 0x00, 0xff)), [65536, 65536, false]);
  assertEquals(header(frame(0xa0, 0, 0, 1, 0)), [65536, 65536, false]);
  assertEquals(header(frame(0xe0, 0, 0, 0x10, 0, 0, 0, 0, 0)), [MIB, MIB, false]);
  // A window of 2^(10+n), and eighths of it; nothing, or something, about the size.
  assertEquals(header(frame(0x00, 0x58)), [2 * MIB, undefined, false]);
  assertEquals(header(frame(0x00, 0x54)), [1.5 * MIB, undefined, false]);
  assertEquals(header(frame(0x40, 0x50, 0x00, 0xff)), [MIB, 65536, false]);
  assertEquals(header(frame(0x22, 1, 2, 200)), [200, 200, true]);
});

Deno.test("parseFrameHeader() knows what is no frame", () => {
  for (const bytes of [[], [0x28, 0xb5, 0x2f], [0x50, 0x2a, 0x4d, 0x18, 4], [0, 0, 0, 0, 0]]) {
    assertEquals(parseFrameHeader(Uint8Array.from(bytes)), undefined);
  }
  assertEquals(parseFrameHeader(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x28)), undefined);
});

Deno.test("parseFrameHeader() reads what libzstd writes", () => {
  const content = new Uint8Array(65536).fill(7);
  const stream = zstdCompressSync(content);
  // Nobody has told it how much there would be.
  assertEquals(parseFrameHeader(stream)?.windowBytes, 2 * MIB);
  const params = { [constants.ZSTD_c_windowLog]: 27 };
  assertEquals(parseFrameHeader(zstdCompressSync(content, { params }))?.windowBytes, 128 * MIB);
});
