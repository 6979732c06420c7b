// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeText, encodeText } from "../../src/sys/text.ts";

Deno.test("decodeText() keeps any bytes", () => {
  const bytes = fc.uint8Array({ maxLength: 24 });
  fc.assert(fc.property(bytes, (some) => assertEquals(encodeText(decodeText(some)), some)), {
    numRuns: 2000,
  });
});

Deno.test("decodeText() reads what is UTF-8, byte order marks included", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(fc.property(text, (some) => {
    assertEquals(decodeText(new TextEncoder().encode(some)), some);
  }));
  assertEquals(decodeText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
});

Deno.test("decodeText() escapes single bytes that are no text", () => {
  assertEquals(decodeText(Uint8Array.of(0x61, 0xff, 0xc3, 0xa4, 0xc3)), "a\udcffä\udcc3");
});
