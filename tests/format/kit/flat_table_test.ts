// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { FlatTable } from "../../../src/format/kit/flat_table.ts";
import { Mapping } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";

const ENTRIES = 5000;
const START = 24;

/** Calls `use` with a table whose entry n is n, in a file that ends with it. */
function withTable(cacheBytes: number, use: (table: FlatTable) => void): void {
  using folder = new TempDirectory();
  const path = folder.file("table");
  const bytes = new Uint8Array(START + 4 * ENTRIES);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < ENTRIES; index++) view.setUint32(START + 4 * index, index, true);
  Deno.writeFileSync(path, bytes);
  using file = openImageFile(path);
  use(new FlatTable(file, { hostOffset: START, entries: ENTRIES, entryBytes: 4 }, cacheBytes));
}

Deno.test("FlatTable finds every entry, however little it may keep", () => {
  for (const cacheBytes of [0, 8192, 2 ** 20]) {
    withTable(cacheBytes, (table) => {
      const mapping = new Mapping();
      for (const index of [0, 1023, 1024, 4999, 2048, 0]) {
        assertEquals(table.view.getUint32(table.find(index, mapping), true), index);
      }
      table.clear();
      assertEquals(table.view.getUint32(table.find(4999, mapping), true), 4999);
    });
  }
});

Deno.test("FlatTable.inSlice() ends with the slice, and with the table", () => {
  withTable(0, (table) => {
    assertEquals([0, 1, 1023, 1024, 4096, 4999].map((index) => table.inSlice(index)), [
      1024,
      1023,
      1,
      1024,
      904,
      1,
    ]);
  });
});
