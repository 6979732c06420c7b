// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { OPTIONS } from "../../../src/cli/words/option_table.ts";
import { oracleTest, run } from "../../support/tools.ts";

Deno.test("OPTIONS has each name and each letter once", () => {
  const names = OPTIONS.flatMap(({ long }) => [...long]);
  const letters = OPTIONS.map(({ short }) => short).filter((letter) => letter !== "");
  assertEquals(names.length, new Set<string>(names).size);
  assertEquals(letters.length, new Set<string>(letters).size);
  assert(letters.every((letter) => letter.length === 1));
});

/** Its devices are operands, as in losetup 2.42. */
const WITH_OPERANDS = "remove";
/** Options of losetup that came after 2.38.1. */
const LATER: readonly string[] = ["remove", "loop-ref"];

Deno.test("OPTIONS has a label exactly where there is an argument", () => {
  for (const { long, argument, label } of OPTIONS) {
    assertEquals(label !== "", argument !== "none" || long[0] === WITH_OPERANDS, long[0]);
  }
});

oracleTest(
  "OPTIONS has losetup's letters, and calls only its own extensions",
  ["losetup"],
  async () => {
    const { stdout } = await run("losetup", "--help");
    for (const option of OPTIONS) {
      const { long: [name], short } = option;
      if (LATER.includes(name)) continue;
      const letter = short === "" ? "    " : `-${short}, `;
      const known = new RegExp(`^ ${letter}--${name}[ \\[]`, "m").test(stdout);
      assertEquals(known, !("extension" in option), name);
    }
  },
);
