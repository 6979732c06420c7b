// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { shellPath, shellWord } from "../../../src/cli/words/shell_word.ts";

Deno.test("shellWord() quotes what a shell would take apart", () => {
  assertEquals(["a.img", "old disk's", ""].map(shellWord), ["a.img", "'old disk'\\''s'", "''"]);
});

Deno.test("shellPath() is no option", () => {
  assertEquals(["-r", "a-r"].map(shellPath), ["./-r", "a-r"]);
});
