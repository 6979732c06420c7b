// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  chosenColumns,
  type ColumnName,
  columnOf,
  LIST_COLUMNS,
  OWN_COLUMNS,
} from "../../../src/cli/listing/columns.ts";
import { must, oracleTest } from "../../support/tools.ts";

const PLAIN = { havePlainLoopsOnly: true };
const MIXED = { havePlainLoopsOnly: false };

function names(...choice: Parameters<typeof chosenColumns>): string {
  return chosenColumns(...choice).map(({ heading }) => heading).join(" ");
}

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

Deno.test("chosenColumns() has ours by default only where they say something", () => {
  const choice = { base: "default", added: [] } as const;
  assertEquals(names(choice, PLAIN), "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE DIO LOG-SEC");
  assertEquals(
    names(choice, MIXED),
    "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE PID TRANSPORT",
  );
});

Deno.test("chosenColumns() adds what was asked for, ours not twice", () => {
  const choice = { base: "default", added: ["NAME", "PID"] } as const;
  assertEquals(
    names(choice, PLAIN),
    "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE DIO LOG-SEC NAME PID",
  );
  assertEquals(
    names(choice, MIXED),
    "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE TRANSPORT NAME PID",
  );
  assertEquals(names({ base: "none", added: ["RO", "RO"] }, MIXED), "RO RO");
  assertEquals(chosenColumns({ base: "all", added: [] }, PLAIN), [...LIST_COLUMNS]);
});

Deno.test("columnOf() finds each column", () => {
  for (const column of LIST_COLUMNS) assertEquals(columnOf(column.heading), column);
});
