// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  type ColumnName,
  columnOf,
  LIST_COLUMNS,
  OWN_COLUMNS,
} from "../../../src/cli/listing/columns.ts";
import { must, oracleTest } from "../../support/tools.ts";

Deno.test("LIST_COLUMNS has FILE-FORMAT right behind BACK-FILE, and each name once", () => {
  const headings = LIST_COLUMNS.map(({ heading }): string => heading);
  assertEquals(headings.indexOf("FILE-FORMAT"), headings.indexOf("BACK-FILE") + 1);
  assertEquals(headings.length, new Set(headings).size);
});

oracleTest("LIST_COLUMNS has losetup's columns, in its order and words", ["losetup"], async () => {
  const [, text = ""] = (await must("losetup", "--help")).split("Available output columns:\n");
  const losetups = text.split("\n\n")[0]?.split("\n").map((line) => line.trim().split(/ {2,}/));
  const known = new Set(losetups?.map(([name]) => name));
  const ours = LIST_COLUMNS.filter(({ heading }) => known.has(heading));
  assertEquals(ours.map(({ heading, help }): string[] => [heading, help]), losetups);
  const later: readonly ColumnName[] = ["BACK-MAJ", "BACK-MIN", "MAJ", "MIN", "REF"];
  assertEquals(
    LIST_COLUMNS.map(({ heading }) => heading)
      .filter((name) => !known.has(name) && !later.includes(name)),
    [...OWN_COLUMNS],
  );
});

Deno.test("columnOf() finds each column", () => {
  for (const column of LIST_COLUMNS) assertEquals(columnOf(column.heading), column);
});
