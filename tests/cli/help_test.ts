// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LIST_COLUMNS } from "../../src/cli/listing/columns.ts";
import { helpText, versionText } from "../../src/cli/help.ts";
import { OPTIONS } from "../../src/cli/words/option_table.ts";
import { must, oracleTest } from "../support/tools.ts";

const HELP = helpText([
  { name: "RAW", aliases: [], summary: "plain image" },
  { name: "QCOW", aliases: ["QCOW2"], summary: "QEMU image" },
]);

Deno.test("helpText() has a line for every option, its descriptions in one column", () => {
  for (const { long, short, help } of OPTIONS) {
    const lines = HELP.split("\n");
    const at = lines.findIndex((line) =>
      /^ (-., | {4})--/.test(line) && line.startsWith(`--${long[0]}`, 5)
    );
    const line = lines[at];
    assert(line !== undefined, long[0]);
    const described = line.length > 31 ? line : lines[at + 1] ?? "";
    assertEquals(described.indexOf(help), 31, line);
    assertEquals(line.startsWith(short === "" ? "     --" : ` -${short}, --`), true, line);
  }
});

Deno.test("helpText() names the formats with their aliases", () => {
  assertStringIncludes(
    HELP,
    "\nKnown file formats:\n          RAW  plain image\n  QCOW, QCOW2  QEMU image\n         auto  ",
  );
});

Deno.test("helpText() names the columns of -l", () => {
  for (const { heading, help } of LIST_COLUMNS) {
    assertStringIncludes(HELP, `\n${heading.padStart(13)}  ${help}\n`);
  }
});

Deno.test("helpText() separates groups by one empty line and fits 80 columns", () => {
  assertMatch(HELP, /remove one or more devices\n\n -o, --offset/);
  assertEquals(HELP.includes("\n\n\n"), false);
  for (const line of HELP.split("\n")) assert(line.length <= 80, line);
});

oracleTest("helpText() has losetup's lines for what is the same", ["losetup"], async () => {
  const losetup = (await must("losetup", "--help")).split("\n");
  for (const letter of ["a", "D", "f", "j", "L", "b", "J", "l", "n", "O", "h", "V"]) {
    const isOption = (line: string): boolean => line.startsWith(` -${letter}, `);
    assertEquals(HELP.split("\n").find(isOption), losetup.find(isOption));
  }
});

Deno.test("versionText() is one line", () => {
  assertEquals(versionText("0.1.0"), "tslosetup 0.1.0\n");
});
