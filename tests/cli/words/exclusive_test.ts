// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { checkExclusive, EXCLUSIVE_OPTIONS } from "../../../src/cli/words/exclusive.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";

Deno.test("checkExclusive() refuses any two of a row, in both orders", () => {
  for (const row of EXCLUSIVE_OPTIONS) {
    for (const first of row) {
      for (const second of row.filter((name) => name !== first)) {
        assertThrows(() => checkExclusive(second, new Set([first])), UsageError, `--${second}`);
      }
    }
  }
});

Deno.test("checkExclusive() names the row in its order, without a hint", () => {
  const error = assertThrows(() => checkExclusive("detach-all", new Set(["list"])), UsageError);
  assertEquals(
    error.message,
    "mutually exclusive arguments: --detach-all --set-capacity --detach --find --list",
  );
  assertEquals(error.hint, false);
});

Deno.test("checkExclusive() allows repetition and what no row has together", () => {
  checkExclusive("detach", new Set(["detach"]));
  checkExclusive("list", new Set(["associated"]));
  checkExclusive("socket", new Set(["show", "read-only"]));
});
