// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { rawWord, safeText } from "../../../src/cli/listing/safe_text.ts";
import { decodeText } from "../../../src/sys/text.ts";

Deno.test("safeText() escapes control characters byte by byte", () => {
  assertEquals(safeText("a\nb\t\x7f\x1b[0m"), "a\\x0ab\\x09\\x7f\\x1b[0m");
  assertEquals(safeText("\u0085\u2028"), "\\xc2\\x85\\xe2\\x80\\xa8");
});

Deno.test("safeText() escapes a backslash that would read as an escape", () => {
  assertEquals(safeText("c\\x41\\y\\"), "c\\x5cx41\\y\\");
});

Deno.test("safeText() leaves printable text alone", () => {
  assertEquals(safeText("ä 日本 é.img"), "ä 日本 é.img");
});

Deno.test("safeText() escapes bytes that are no text, and all but ASCII in a locale without", () => {
  assertEquals(safeText(decodeText(Uint8Array.of(0x61, 0xff, 0x62))), "a\\xffb");
  assertEquals(safeText("ä\\x日", "ascii"), "\\xc3\\xa4\\x5cx\\xe6\\x97\\xa5");
});

Deno.test("rawWord() makes one word of ASCII", () => {
  assertEquals(rawWord("a b\tä\\"), "a\\x20b\\x09\\xc3\\xa4\\x5c");
});
