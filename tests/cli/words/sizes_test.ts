// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseSizeBytes } from "../../../src/cli/words/sizes.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { must, oracleTest, run, TempDirectory } from "../../support/tools.ts";

const COMPLAINT = "failed to parse offset";
const INVALID = "Invalid argument";
const OUT_OF_RANGE = "Numerical result out of range";

/** Texts and what `fallocate --length`, which reads them with the same function, made of them. */
const SIZES: readonly (readonly [string, number])[] = [
  ["512", 512],
  ["0x10", 16],
  ["0X1F", 31],
  ["010", 8],
  [" 5", 5],
  ["\t+5", 5],
  ["1k", 1024],
  ["1K", 1024],
  ["1KiB", 1024],
  ["1Kib", 1024],
  ["1KB", 1000],
  ["1kb", 1000],
  ["0xfK", 15 * 1024],
  ["2M", 2 * 1024 ** 2],
  ["2MB", 2e6],
  ["1.5K", 1536],
  ["1.25K", 1279],
  ["1.1K", 1126],
  ["1.10K", 2048],
  ["1.1000K", 2048],
  ["1.110K", 1024 + 102 + 10],
  ["1.0K", 1024],
  ["1.K", 1024],
  ["1.0.5K", 1075],
  ["0.05M", 52428],
  ["1.05M", 1101004],
  ["10.5KB", 10500],
  ["0x1.8K", 2048],
  ["1.999999999999999999M", 2202969],
  ["0.001G", 1073741],
];

const WRONG: readonly string[] = [
  ..." |-5| -5|abc|09|5x|0x|0xg|1.5|1.|1.0|.|.5K|1B|1KIB|5i|5iB|1Ki|1 K|1K |1,5K|1.5|--1|+-1|1e3"
    .split("|"),
  "",
  "1K\n",
];

function fault(text: string): string {
  return assertThrows(() => parseSizeBytes(text, COMPLAINT), UsageError).message;
}

for (const [text, sizeBytes] of SIZES) {
  Deno.test(`parseSizeBytes() reads ${JSON.stringify(text)} as ${sizeBytes}`, () => {
    assertEquals(parseSizeBytes(text, COMPLAINT), sizeBytes);
  });
}

Deno.test("parseSizeBytes() reads each suffix up to its largest number", () => {
  assertEquals(parseSizeBytes("3G", COMPLAINT), 3 * 1024 ** 3);
  assertEquals(parseSizeBytes("3T", COMPLAINT), 3 * 1024 ** 4);
  assertEquals(parseSizeBytes("7P", COMPLAINT), 7 * 1024 ** 5);
  assertEquals(parseSizeBytes("0E", COMPLAINT), 0);
  assertEquals(parseSizeBytes("9007199254740991", COMPLAINT), Number.MAX_SAFE_INTEGER);
});

Deno.test("parseSizeBytes() refuses what is no size, without a hint", () => {
  for (const text of WRONG) assertEquals(fault(text), `${COMPLAINT}: '${text}': ${INVALID}`);
  const error = assertThrows(() => parseSizeBytes("x", COMPLAINT), UsageError);
  assertEquals(error.hint, false);
});

Deno.test("parseSizeBytes() refuses numbers above 2^53 - 1", () => {
  for (const text of ["9007199254740992", "8P", "1E", "1Z", "9".repeat(22), "9".repeat(22) + "x"]) {
    assertEquals(fault(text), `${COMPLAINT}: '${text}': ${OUT_OF_RANGE}`);
  }
});

Deno.test("parseSizeBytes() reads back any number in any base", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (number) => {
    assertEquals(parseSizeBytes(`${number}`, COMPLAINT), number);
    assertEquals(parseSizeBytes(`0x${number.toString(16)}`, COMPLAINT), number);
    assertEquals(parseSizeBytes(`0${number.toString(8)}`, COMPLAINT), number);
  }));
});

/** Texts that are sizes, or nearly. */
const sizeLike = fc.stringMatching(/^[0-9+. x-]{0,5}[kKMGTPEZYiBb.0-9]{0,4}$/);

oracleTest("parseSizeBytes() accepts and refuses what losetup does", ["losetup"], async () => {
  await fc.assert(
    fc.asyncProperty(sizeLike, async (text) => {
      const expected = (await run("losetup", "-j", "/nonexistent", "-o", text)).stderr;
      const actual = complaintAbout(text);
      // The numbers between 2^53 and 2^64 are only too large for us.
      if (expected === "" && actual.includes(OUT_OF_RANGE)) return;
      assertEquals(actual, expected);
    }),
    { numRuns: 200, examples: WRONG.map((text) => [text]) },
  );
});

function complaintAbout(text: string): string {
  try {
    parseSizeBytes(text, COMPLAINT);
    return "";
  } catch (error) {
    return `losetup: ${(error as UsageError).message}\n`;
  }
}

oracleTest("parseSizeBytes() means the sizes that util-linux does", ["fallocate"], async () => {
  using folder = new TempDirectory();
  const file = folder.file("size");
  for (const [text, sizeBytes] of SIZES) {
    await must("fallocate", "--length", text, file);
    assertEquals(Deno.statSync(file).size, sizeBytes, text);
    Deno.removeSync(file);
  }
});
