// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { columnOf } from "../../../src/cli/listing/columns.ts";
import { formatRaw } from "../../../src/cli/listing/raw.ts";

const COLUMNS = [columnOf("NAME"), columnOf("RO")];

Deno.test("formatRaw() has one blank between words, and nothing for what is empty", () => {
  assertEquals(
    formatRaw(COLUMNS, [["a b", "1"], ["", ""]], { headings: true }),
    "NAME RO\na\\x20b 1\n \n",
  );
  assertEquals(formatRaw(COLUMNS, [["a", "1"]], { headings: false }), "a 1\n");
  assertEquals(formatRaw(COLUMNS, [], { headings: true }), "");
});
