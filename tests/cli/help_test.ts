// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LIST_COLUMNS } from "../../src/cli/listing/columns.ts";
import { helpText, versionText } from "../../src/cli/help.ts";
import { type OptionRow, OPTIONS } from "../../src/cli/words/option_table.ts";
import { FORMATS } from "../../src/image/formats.ts";
import { must, oracleTest } from "../support/tools.ts";

const ROWS: readonly OptionRow[] = OPTIONS;
const HELP = helpText(FORMATS);
const LINES = HELP.split("\n");

Deno.test("helpText() fits a screen", () => {
  assert(LINES.length - 1 <= 40, `${LINES.length - 1} lines`);
  for (const line of LINES) assert(line.length <= 80, line);
});

Deno.test("helpText() has a line for each of the most used options, described in one column", () => {
  for (const { long, short, help } of ROWS.filter(({ onlyNamed }) => !onlyNamed)) {
    const start = short === "" ? `     --${long[0]}` : ` -${short}, --${long[0]}`;
    const line = LINES.find((candidate) => candidate.startsWith(start)) ?? "";
    assertEquals(line.indexOf(help), 31, long[0]);
  }
});

Deno.test("helpText() names every option with its letter", () => {
  for (const { long, short, onlyNamed } of ROWS) {
    if (!onlyNamed) continue;
    assertStringIncludes(HELP, short === "" ? ` --${long[0]}` : `-${short} --${long[0]}`);
  }
});

Deno.test("helpText() says which formats are read-only", () => {
  const formats = [
    { name: "RAW", writable: true },
    { name: "QCOW", writable: false },
    { name: "COW", writable: false },
  ];
  assertStringIncludes(
    helpText(formats),
    "\nFormats: auto, RAW\n  read-only: QCOW, COW\nColumns: ",
  );
});

Deno.test("helpText() has no line for formats that are read-only where there are none", () => {
  const formats = [{ name: "RAW", writable: true }];
  assertStringIncludes(helpText(formats), "\nFormats: auto, RAW\nColumns: ");
});

Deno.test("helpText() names the columns of -l", () => {
  const words = new Set(HELP.slice(HELP.indexOf("Columns: ")).split(/[\s,]+/));
  for (const { heading } of LIST_COLUMNS) assert(words.has(heading), heading);
});

oracleTest("helpText() has losetup's lines for what is the same", ["losetup"], async () => {
  const losetup = (await must("losetup", "--help")).split("\n");
  for (const letter of ["D", "f", "j", "J", "l", "O"]) {
    const isOption = (line: string): boolean => line.startsWith(` -${letter}, `);
    assertEquals(LINES.find(isOption), losetup.find(isOption));
  }
});

Deno.test("versionText() is one line", () => {
  assertEquals(versionText("0.1.0"), "tslosetup 0.1.0\n");
});
