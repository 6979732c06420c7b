// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { parseFrameHeader } from "../../src/view/zstd_frame.ts";

const MIB = 1024 * 1024;

Deno.test("parseFrameHeader() tells the window and the size of what is stored", () => {
  const frame = (descriptor: number, ...bytes: number[]): Uint8Array =>
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...bytes);
  const header = (windowBytes: number, contentBytes?: number, needsDictionary = false) => ({
    windowBytes,
    contentBytes,
    needsDictionary,
  });
  assertEquals(parseFrameHeader(frame(0x20, 200)), header(200, 200));
  assertEquals(parseFrameHeader(frame(0x60, 0x00, 0xff)), header(65536, 65536));
  assertEquals(parseFrameHeader(frame(0xa0, 0, 0, 1, 0)), header(65536, 65536));
  assertEquals(parseFrameHeader(frame(0xe0, 0, 0, 0x10, 0, 0, 0, 0, 0)), header(MIB, MIB));
  // A window of 2^(10+n), and eighths of it; nothing, or something, about the size.
  assertEquals(parseFrameHeader(frame(0x00, 0x58)), header(2 * MIB));
  assertEquals(parseFrameHeader(frame(0x00, 0x54)), header(1.5 * MIB));
  assertEquals(parseFrameHeader(frame(0x40, 0x50, 0x00, 0xff)), header(MIB, 65536));
  assertEquals(parseFrameHeader(frame(0x22, 1, 2, 200)), header(200, 200, true));
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
