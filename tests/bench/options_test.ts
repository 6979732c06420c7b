// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { parseOptions, selected } from "./options.ts";

Deno.test("parseOptions() has defaults, shorter ones for --smoke", () => {
  const { rounds, seconds, imageMib, competitors, jobs } = parseOptions([]);
  assertEquals([rounds, seconds, imageMib], [5, 1, 1536]);
  assertEquals([competitors, jobs], [[], []]);
  assertEquals(parseOptions(["--smoke"]).rounds, 1);
});

Deno.test("parseOptions() lets --smoke be overridden", () => {
  assertEquals(parseOptions(["--smoke", "--rounds", "3"]).rounds, 3);
});

Deno.test("parseOptions() has a smaller image and all jobs for a guest", () => {
  assertEquals(parseOptions(["--kernel"]).imageMib, 256);
  assertEquals(parseOptions(["--kernel", "--image-mib", "512"]).imageMib, 512);
  assertEquals(parseOptions(["--kernel", "--smoke"]).jobs, []);
  assertThrows(() => parseOptions(["--kernel", "--fuse"]), Error, "exclude each other");
  assertThrows(() => parseOptions(["--view", "--fuse"]), Error, "exclude each other");
});

Deno.test("parseOptions() refuses unknown options and impossible values", () => {
  assertThrows(() => parseOptions(["--frobnicate"]), Error, "frobnicate");
  assertThrows(() => parseOptions(["--seconds", "0"]), Error, "--seconds takes a positive number");
  assertThrows(() => parseOptions(["--rounds", "many"]), Error, "--rounds takes");
});

Deno.test("selected() keeps the order asked for and names what it does not know", () => {
  const known = [{ name: "a" }, { name: "b" }];
  assertEquals(selected(known, ["b", "a"]), [{ name: "b" }, { name: "a" }]);
  assertEquals(selected(known, []), known);
  assertThrows(() => selected(known, ["c"]), Error, "no c among a, b");
});
