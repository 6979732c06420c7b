// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { type Column, formatTable } from "../../../src/cli/listing/table.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

const NAME: Column = { heading: "NAME", align: "left" };
const SIZE: Column = { heading: "SIZELIMIT", align: "right" };
const FILE: Column = { heading: "BACK-FILE", align: "left" };

Deno.test("formatTable() prints nothing without rows", () => {
  assertEquals(formatTable([NAME, SIZE], []), "");
});

Deno.test("formatTable() aligns numbers right and pads no last column", () => {
  assertEquals(
    formatTable([NAME, SIZE, FILE], [["/dev/loop1", "0", "/a.img"], ["/dev/nbd0", "12345678901"]]),
    "NAME         SIZELIMIT BACK-FILE\n" +
      "/dev/loop1           0 /a.img\n" +
      "/dev/nbd0  12345678901 \n",
  );
});

Deno.test("formatTable() aligns a last numeric column too", () => {
  assertEquals(formatTable([NAME, SIZE], [["a", "1"]]), "NAME SIZELIMIT\na            1\n");
});

Deno.test("formatTable() counts what a terminal shows", () => {
  assertEquals(
    formatTable([FILE, NAME], [["ä日本.img", "a"], ["e\u0301.img", "b"], ["123456789012", "c"]]),
    "BACK-FILE    NAME\nä日本.img    a\ne\u0301.img        b\n123456789012 c\n",
  );
});

Deno.test("formatTable() keeps one row on one line", () => {
  assertEquals(formatTable([NAME, SIZE], [["a\nb", "1"]]), "NAME   SIZELIMIT\na\\x0ab         1\n");
});

const NARROW: readonly Column[] = [
  { ...NAME, widthHint: 0.25 },
  { ...SIZE, widthHint: 5 },
  { ...FILE, widthHint: 0.3 },
  { heading: "DIO", align: "right", widthHint: 1 },
];
const ROWS = [["/dev/loop1", "0", "/tmp/a/long/name.img", "0"]];

Deno.test("formatTable() fits into a terminal that is wide enough as anywhere", () => {
  const wide = formatTable(NARROW, ROWS);
  assertEquals(
    wide,
    "NAME       SIZELIMIT BACK-FILE            DIO\n/dev/loop1         0 /tmp/a/long/name.img   0\n",
  );
  assertEquals(formatTable(NARROW, ROWS, { terminalColumns: 45 }), wide);
});

Deno.test("formatTable() goes on in the next line behind what is too long for a terminal", () => {
  assertEquals(
    formatTable(NARROW, ROWS, { terminalColumns: 36 }),
    "NAME  SIZELIMIT BACK-FILE        DIO\n" +
      "/dev/loop1\n" +
      "              0 /tmp/a/long/name.img\n" +
      "                                   0\n",
  );
});

Deno.test("formatTable() makes no column narrower than its heading", () => {
  const [headings] = formatTable(NARROW, ROWS, { terminalColumns: 1 }).split("\n");
  assertEquals(headings, "NAME SIZELIMIT BACK-FILE DIO");
});

Deno.test("formatTable() with a mark of omission keeps each row on one line of the terminal", () => {
  assertEquals(
    formatTable(NARROW, ROWS, { terminalColumns: 36, omission: "…" }),
    "NAME       SIZELIMIT BACK-FILE   DIO\n/dev/loop1         0 /tm…ame.img   0\n",
  );
  assertEquals(
    formatTable(NARROW, ROWS, { terminalColumns: 30, omission: "..." }),
    "NAME   SIZELIMIT BACK-FILE DIO\n/...p1         0 /t....img   0\n",
  );
});

Deno.test("formatTable() with a mark of omission changes nothing that fits", () => {
  const wide = formatTable(NARROW, ROWS);
  assertEquals(formatTable(NARROW, ROWS, { terminalColumns: 45, omission: "…" }), wide);
  assertEquals(formatTable(NARROW, ROWS, { omission: "…" }), wide);
});

Deno.test("formatTable() leaves the headings out, and counts them all the same", () => {
  assertEquals(formatTable([SIZE, NAME], [["1", "a"]], { headings: false }), "        1 a\n");
});

Deno.test("formatTable() has a hint of places as the least width of a column", () => {
  const column = { heading: "N", align: "left", widthHint: 4 } as const;
  assertEquals(formatTable([column, NAME], [["1", "a"]]), "N    NAME\n1    a\n");
});

Deno.test("formatTable() makes no column wider than it may become", () => {
  const column: Column = { ...NAME, maxWidth: 6 };
  assertEquals(
    formatTable([column, SIZE], [["a", "1"], ["b".repeat(1000), "2"]]),
    `NAME   SIZELIMIT\na              1\n${"b".repeat(1000)}\n               2\n`,
  );
});

oracleTest("formatTable() prints what libsmartcols does", ["column"], async () => {
  using folder = new TempDirectory();
  const rows = [["/dev/loop1", "0", "ä日本.img", "512"], ["/dev/nbd0", "12345678901", "a", "4"]];
  Deno.writeTextFileSync(folder.file("rows"), rows.map((row) => `${row.join("|")}\n`).join(""));
  const oracle = await must(
    "env",
    ...["LC_ALL=C.UTF-8", "column", "--table", "--separator=|", "--output-separator= "],
    ...["--table-columns=NAME,SIZELIMIT,BACK-FILE,LOG-SEC", "--table-right=SIZELIMIT,LOG-SEC"],
    folder.file("rows"),
  );
  const columns = [NAME, SIZE, FILE, { heading: "LOG-SEC", align: "right" }] as const;
  assertEquals(formatTable(columns, rows), oracle);
});
