// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { elementsNamed, parseXml, textAt } from "../../../src/format/kit/xml.ts";

Deno.test("parseXml() takes elements apart, and leaves out what says nothing", () => {
  const root = parseXml(
    `\ufeff<?xml version="1.0"?><!DOCTYPE a>\r\n<!-- <x> --><a b="c">\n one &lt;&amp;&gt; <n>1</n>` +
      `two<n/><m><n>3<!-- </n> --></n></m>\n</a>`,
  );
  assertEquals([root.name, root.text], ["a", "one <&> two"]);
  assertEquals(elementsNamed(root, "n").map(({ text }) => text), ["1", ""]);
  assertEquals([textAt(root, "m", "n"), textAt(root, "n"), textAt(root, "m", "x")], [
    "3",
    "1",
    undefined,
  ]);
});

const WRONG: readonly [message: string, text: string][] = [
  ["not one element", ""],
  ["not one element", "text"],
  ["not one element", "<a/><b/>"],
  ["</a> ends nothing", "</a>"],
  ["</b> ends nothing", "<a><c></b></a>"],
  ["<a> has no end", "<a><b></b>"],
  ["has no end", "<a"],
  ["has no end", "<!-- <a></a>"],
  ["nested too deeply", "<a>".repeat(40)],
];

for (const [message, text] of WRONG) {
  Deno.test(`parseXml() refuses ${text.slice(0, 12)}`, () => {
    assertThrows(() => parseXml(text), RangeError, message);
  });
}

Deno.test("parseXml() looks at nothing twice, whatever has no end", () => {
  const text = "<!--".repeat(250_000);
  assertThrows(() => parseXml(text), RangeError, "has no end");
  assertEquals(parseXml(`<a>${"<!---->".repeat(100_000)}</a>`).text, "");
});
