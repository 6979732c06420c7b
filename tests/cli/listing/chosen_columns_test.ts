// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  chosenColumns,
  type ColumnChoice,
  type ListedDevices,
} from "../../../src/cli/listing/chosen_columns.ts";
import { type ColumnName, LIST_COLUMNS } from "../../../src/cli/listing/columns.ts";

const DEFAULT: ColumnChoice = { base: "default", added: [] };
const LOSETUPS = "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE DIO LOG-SEC";
const ALL_OF_OURS =
  "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE PID TRANSPORT REVIVED";
const NARROW = "NAME RO BACK-FILE FILE-FORMAT SIZE";

interface Case {
  readonly plain: boolean;
  readonly asTable: boolean;
  readonly set?: ColumnName;
}

function devices({ plain, asTable, set }: Case): ListedDevices {
  return { havePlainLoopsOnly: plain, asTable, have: (name) => name === set };
}

function names(choice: ColumnChoice, given: Case): string {
  return chosenColumns(choice, devices(given)).map(({ heading }) => heading).join(" ");
}

Deno.test("chosenColumns() has losetup's defaults where it could have made all devices", () => {
  for (const asTable of [true, false]) {
    assertEquals(names(DEFAULT, { plain: true, asTable, set: "OFFSET" }), LOSETUPS);
  }
});

Deno.test("chosenColumns() has all of ours for programs, and what fits a terminal for people", () => {
  assertEquals(names(DEFAULT, { plain: false, asTable: false }), ALL_OF_OURS);
  assertEquals(names(DEFAULT, { plain: false, asTable: true }), NARROW);
});

Deno.test("chosenColumns() shows people an offset or a limit where a device has one", () => {
  const withSet = (set: ColumnName): string => names(DEFAULT, { plain: false, asTable: true, set });
  assertEquals(withSet("OFFSET"), "NAME OFFSET RO BACK-FILE FILE-FORMAT SIZE");
  assertEquals(withSet("SIZELIMIT"), "NAME SIZELIMIT RO BACK-FILE FILE-FORMAT SIZE");
  assertEquals(withSet("REVIVED"), `${NARROW} REVIVED`);
  assertEquals(withSet("AUTOCLEAR"), NARROW);
});

Deno.test("chosenColumns() adds what was asked for, ours not twice", () => {
  const choice: ColumnChoice = { base: "default", added: ["NAME", "SIZE"] };
  assertEquals(names(choice, { plain: true, asTable: true }), `${LOSETUPS} NAME SIZE`);
  assertEquals(
    names(choice, { plain: false, asTable: false }),
    `${ALL_OF_OURS.replace(" SIZE PID", " PID")} NAME SIZE`,
  );
  assertEquals(
    names(choice, { plain: false, asTable: true }),
    "NAME RO BACK-FILE FILE-FORMAT NAME SIZE",
  );
});

Deno.test("chosenColumns() has what was asked for, and nothing else", () => {
  const mixed = { plain: false, asTable: true };
  assertEquals(names({ base: "none", added: ["RO", "RO"] }, mixed), "RO RO");
  const all = chosenColumns({ base: "all", added: [] }, devices(mixed));
  assertEquals(all, [...LIST_COLUMNS]);
});
