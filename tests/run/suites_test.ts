// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { lanesOf, type Suite } from "./suites.ts";

const SUITE: Suite = { packages: {}, paths: ["all"], ignored: ["all/no"], beside: ["all/pure"] };

Deno.test("lanesOf() has all tests run once, in two lanes where there are two processors", () => {
  const both = ["--ignore=all/no", "--filter=x", "all"];
  assertEquals(lanesOf(SUITE, ["--filter=x"], 1), [both]);
  assertEquals(lanesOf({ ...SUITE, beside: [] }, ["--filter=x"], 2), [both]);
  assertEquals(lanesOf(SUITE, ["--filter=x"], 2), [
    ["--ignore=all/no,all/pure", "--filter=x", "all"],
    ["--filter=x", "all/pure"],
  ]);
});

Deno.test("lanesOf() has chosen tests run in one lane", () => {
  assertEquals(lanesOf(SUITE, ["all/pure/a_test.ts"], 2), [[
    "--ignore=all/no",
    "all/pure/a_test.ts",
  ]]);
});
