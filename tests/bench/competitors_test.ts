// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { BASELINE, competitors, pidInListing } from "./competitors.ts";

const LISTING = `NAME     PID
/tmp/s  4711
/tmp/s2 4712
`;

Deno.test("pidInListing() finds the line of exactly that socket", () => {
  assertEquals(pidInListing(LISTING, "/tmp/s"), 4711);
  assertEquals(pidInListing(LISTING, "/tmp/s2"), 4712);
  assertThrows(() => pidInListing(LISTING, "/tmp"), Error, "no process for /tmp");
  assertThrows(() => pidInListing("", "/tmp/s"), Error, "no process");
});

Deno.test("competitors() have distinct names, the baseline among them", () => {
  const names = competitors("dist/tslosetup").map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  assertEquals(names.includes(BASELINE), true);
});

Deno.test("competitors() say what is missing", () => {
  const [tslosetup] = competitors("/nonexistent/tslosetup");
  assertEquals(
    tslosetup?.missing(),
    "/nonexistent/tslosetup is missing: run `deno task compile`",
  );
});
