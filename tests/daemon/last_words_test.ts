// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { lastWords } from "../../src/daemon/last_words.ts";

Deno.test("lastWords() finds the line that tells most", () => {
  assertEquals(lastWords("\n\n"), undefined);
  assertEquals(lastWords("\nsomething\nelse\n"), "something");
  assertEquals(lastWords("something\n  error: Uncaught it\n    at there\n"), "error: Uncaught it");
});

Deno.test("lastWords() knows a full heap", () => {
  const report = `
<--- Last few GCs --->

[1:0x1]    16956 ms: Incremental Mark-Compact (reduce) 508.2 (513.8) -> 508.0 (512.8) MB

#
# Fatal JavaScript out of memory: Ineffective mark-compacts near heap limit
#
==== C stack trace ===============================

    tslosetup(+0x28665be) [0x563dbcca45be]
`;
  assertEquals(lastWords(report), "the image takes too much memory");
});
