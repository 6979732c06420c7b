// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { rawWord, safeText } from "../../src/sys/safe_text.ts";
import { decodeText } from "../../src/sys/text.ts";

Deno.test("safeText() escapes control characters byte by byte", () => {
  assertEquals(safeText("a\nb\t\x7f\x1b[0m"), "a\\x0ab\\x09\\x7f\\x1b[0m");
  assertEquals(safeText("\u0085\u2028"), "\\xc2\\x85\\xe2\\x80\\xa8");
});

Deno.test("safeText() escapes what turns the direction of text, or cannot be seen", () => {
  const marks = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c" +
    "\u200b\u200d\u00ad\ufeff\u{e0041}";
  for (const mark of marks) {
    const escapes = Array.from(new TextEncoder().encode(mark), (byte) => `\\x${byte.toString(16)}`);
    assertEquals(safeText(`a${mark}b`), `a${escapes.join("")}b`);
  }
});

Deno.test("safeText() escapes all of C0 and C1", () => {
  for (let code = 0; code < 0xa0; code++) {
    if (code >= 0x20 && code < 0x7f) continue;
    const text = safeText(String.fromCharCode(code));
    assertEquals(/^(\\x[0-9a-f]{2})+$/.test(text), true, text);
  }
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
