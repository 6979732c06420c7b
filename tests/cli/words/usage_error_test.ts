// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertInstanceOf } from "@std/assert";
import { UsageError, usageErrorText } from "../../../src/cli/words/usage_error.ts";

Deno.test("UsageError() gives no hint unless asked", () => {
  const error = new UsageError("bad");
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.message, error.hint], ["UsageError", "bad", false]);
});

Deno.test("usageErrorText() adds the line about --help for a hint only", () => {
  assertEquals(usageErrorText(new UsageError("bad"), "tslosetup"), "tslosetup: bad\n");
  assertEquals(
    usageErrorText(new UsageError("bad", { hint: true }), "losetup"),
    "losetup: bad\nTry 'losetup --help' for more information.\n",
  );
});
