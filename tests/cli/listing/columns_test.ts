// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { LIST_COLUMNS } from "../../../src/cli/listing/columns.ts";

Deno.test("LIST_COLUMNS has FILE-FORMAT right behind BACK-FILE", () => {
  const headings = LIST_COLUMNS.map(({ heading }): string => heading);
  assertEquals(headings.indexOf("FILE-FORMAT"), headings.indexOf("BACK-FILE") + 1);
  assertEquals(headings.length, new Set(headings).size);
});
