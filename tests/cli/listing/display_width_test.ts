// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { displayWidth } from "../../../src/cli/listing/display_width.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

Deno.test("displayWidth() counts narrow, wide and combining characters", () => {
  assertEquals(displayWidth(""), 0);
  assertEquals(displayWidth("/tmp/a.img"), 10);
  assertEquals(displayWidth("äß€"), 3);
  assertEquals(displayWidth("日本語"), 6);
  assertEquals(displayWidth("한글"), 4);
  assertEquals(displayWidth("ＡＢ"), 4);
  assertEquals(displayWidth("e\u0301"), 1);
  assertEquals(displayWidth("💾"), 2);
});

/** Characters on which all versions of Unicode agree. */
const character = fc.constantFrom(
  ..."aZ/.~ éßÿ€√→ａ～一日龠あンㄅ가힣｡ﾊαжאعก\u0301\u0308\u200b\u20dd😀💾🚀🇩",
);

oracleTest("displayWidth() counts as glibc does", ["wc"], async () => {
  using folder = new TempDirectory();
  const lines = fc.sample(fc.string({ unit: character, maxLength: 12 }), 300);
  for (const line of lines) {
    Deno.writeTextFileSync(folder.file("line"), `${line}\n`);
    const output = await must("env", "LC_ALL=C.UTF-8", "wc", "-L", folder.file("line"));
    assertEquals(displayWidth(line), parseInt(output), line);
  }
});
