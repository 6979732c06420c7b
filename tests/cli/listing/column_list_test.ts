// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { chooseColumns } from "../../../src/cli/listing/column_list.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { oracleTest, run } from "../../support/tools.ts";

function fault(list: string): string {
  return assertThrows(() => chooseColumns({ list, all: false }), UsageError).message;
}

Deno.test("chooseColumns() replaces, or adds behind a plus, in any case", () => {
  assertEquals(chooseColumns({ list: undefined, all: false }), { base: "default", added: [] });
  assertEquals(chooseColumns({ list: "name,Back-File", all: false }), {
    base: "none",
    added: ["NAME", "BACK-FILE"],
  });
  assertEquals(chooseColumns({ list: "+RO", all: false }), { base: "default", added: ["RO"] });
});

Deno.test("chooseColumns() takes all before what is added", () => {
  assertEquals(chooseColumns({ list: undefined, all: true }), { base: "all", added: [] });
  assertEquals(chooseColumns({ list: "+RO", all: true }), { base: "all", added: ["RO"] });
  assertEquals(chooseColumns({ list: "RO", all: true }), { base: "none", added: ["RO"] });
});

Deno.test("chooseColumns() refuses empty names, where losetup fails without a word", () => {
  assertEquals(fault(""), "unknown column: ");
  assertEquals(fault("+"), "unknown column: ");
  assertEquals(fault("NAME,,RO"), "unknown column: ,RO");
});

oracleTest("chooseColumns() words unknown columns as losetup does", ["losetup"], async () => {
  for (const list of ["FOO", "FOO,BAR", "NAME,FOO,RO", "+FOO", "NAME,", ",", "NAME ", "+RO,+RO"]) {
    const { code, stderr } = await run("losetup", "-O", list);
    assertEquals([code, stderr], [1, `losetup: ${fault(list)}\n`], list);
  }
});
