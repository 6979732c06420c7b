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

Deno.test("usageErrorText() says on the same line what stands for another program's words", () => {
  const error = new UsageError("bad\n", { hint: true });
  assertEquals(usageErrorText(error, "losetup", "type \x1b"), "losetup: bad\\x0a; type \\x1b\n");
});
