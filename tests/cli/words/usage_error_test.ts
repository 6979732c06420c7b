// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { parseCommand } from "../../../src/cli/words/command.ts";
import { FORMAT_NAMES } from "../../../src/image/formats.ts";
import { insteadOf } from "../../../src/cli/words/qemu_nbd_options.ts";
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

Deno.test("usageErrorText() says what an option of qemu-nbd's is here", () => {
  const hintOf = (...args: string[]): string | undefined => {
    const error = assertThrows(() => parseCommand(args, FORMAT_NAMES), UsageError);
    const instead = insteadOf(error.unknownOption ?? "");
    return usageErrorText(error, "tslosetup", instead).split("\n")[1];
  };
  assertEquals(hintOf("-k", "/tmp/s", "a"), "For qemu-nbd's -k: --socket <path>.");
  assertEquals(hintOf("-rs", "a"), "For qemu-nbd's -s: --overlay.");
  assertStringIncludes(hintOf("--connect=/dev/nbd0", "a") ?? "", "tslosetup <device> <file>");
  assertStringIncludes(hintOf("--connect", "/dev/nbd0", "a") ?? "", "tslosetup <device> <file>");
  assertStringIncludes(hintOf("--fork", "a") ?? "", "not needed");
  assertStringIncludes(hintOf("-x", "disk", "a") ?? "", "one export");
  assertStringIncludes(hintOf("--cache=none", "-t", "QCOW", "-f", "a") ?? "", "--direct-io");
  assertEquals(hintOf("--cache", "never", "-t", "QCOW", "-f", "a"), "");
  assertEquals(hintOf("-y", "a"), "Try 'tslosetup --help' for more information.");
  assertEquals(hintOf("--toString"), "Try 'tslosetup --help' for more information.");
});
