// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { agreeing, readSettings, type Settings } from "../../../src/cli/words/settings.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { FORMATS } from "./formats.ts";

function read(...args: string[]): Settings {
  const settings = readSettings(args, FORMATS);
  if (typeof settings === "string") throw new Error(`ended by --${settings}`);
  return settings;
}

function fault(...args: string[]): string {
  return assertThrows(() => readSettings(args, FORMATS), UsageError).message;
}

Deno.test("readSettings() reads every value", () => {
  const settings = read(..."-o1K --sizelimit 2K -b 4096 -t qcow2 --transport nbd".split(" "));
  assertEquals([settings.offsetBytes, settings.sizeLimitBytes, settings.sectorBytes], [
    1024,
    2048,
    4096,
  ]);
  assertEquals([settings.format, settings.transport], ["QCOW", "nbd"]);
  assertEquals(read("--socket", "/s").socketPath, "/s");
  assertEquals(read("-j", "a").associatedFile, "a");
});

Deno.test("readSettings() lets the last of losetup's own options count", () => {
  assertEquals(read("-o", "1", "-o", "2").offsetBytes, 2);
});

Deno.test("readSettings() reports the leftmost fault", () => {
  assertEquals(fault("-o", "abc", "--foo"), "failed to parse offset: 'abc': Invalid argument");
  assertEquals(fault("--foo", "-o", "abc"), "unrecognized option '--foo'");
  assertEquals(fault("-D", "-f", "--foo").startsWith("mutually exclusive arguments: "), true);
});

Deno.test("readSettings() stops at --help and --version", () => {
  assertEquals(readSettings(["x", "-h", "--foo"], FORMATS), "help");
  assertEquals(readSettings(["-V", "-h"], FORMATS), "version");
  assertEquals(fault("--foo", "-h"), "unrecognized option '--foo'");
});

Deno.test("readSettings() remembers the words behind -f at the end of its word", () => {
  assertEquals([...read("-rf", "a", "-fr", "b", "--find", "c").wordsAfterFind], [1, 5]);
});

Deno.test("readSettings() requires a device for -d, wherever it is", () => {
  assertEquals(fault("-d"), "option requires an argument -- 'd'");
  assertEquals(fault("--detach"), "option '--detach' requires an argument");
  assertEquals(read("a", "-d").operands.length, 1);
  assertEquals(read("-da", "-db").actionDevices, ["a", "b"]);
});

Deno.test("readSettings() refuses contradictions among our own options", () => {
  assertEquals(
    fault("-t", "RAW", "--type=qcow"),
    "conflicting arguments for --file-fmt-type: 'RAW' and 'QCOW'",
  );
  assertEquals(fault("--socket", "a", "--socket", "b").startsWith("conflicting arguments"), true);
  assertEquals(read("-t", "qcow", "-t", "QCOW2").format, "QCOW");
});

Deno.test("agreeing() takes a first value and repetitions", () => {
  assertEquals(agreeing("socket", undefined, "a"), "a");
  assertEquals(agreeing("socket", "a", "a"), "a");
});
