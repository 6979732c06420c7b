// @ts-types="./std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { eventually, patiently, turnUntil } from "./patience.ts";
import { run } from "./tools.ts";

const TESTS = new URL("../", import.meta.url).pathname;
/** What measures, watches over a whole machine, or ends the stock tool where that never does. */
const WITH_CLOCKS = [
  "bench/",
  "differential/differential_test.ts",
  "hostile/",
  "kernel/uml/uml.ts",
  "support/patience",
];
/** A look at the clock, or a limit in seconds. */
const CLOCK =
  /\beventually [0-9]|performance\.now\(\)|Date\.now\(\)|setTimeout\(|"timeout",|\btimeout [0-9]/;

function* sourcesIn(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(TESTS + folder)) {
    const path = folder + name;
    if (isDirectory) yield* sourcesIn(`${path}/`);
    else if (/\.(ts|sh)$/.test(name)) yield path;
  }
}

Deno.test("tests have no clocks of their own: all waits are patient ones", () => {
  const hurried = [...sourcesIn("")]
    .filter((path) => !WITH_CLOCKS.some((prefix) => path.startsWith(prefix)))
    .filter((path) => CLOCK.test(Deno.readTextFileSync(TESTS + path)));
  assertEquals(hurried, []);
});

Deno.test("eventually() looks until the condition holds", async () => {
  let looks = 0;
  await eventually(() => ++looks === 3, "the third look");
  turnUntil(() => ++looks === 9, "the ninth look");
  assertEquals(looks, 9);
});

Deno.test("turnUntil() hands on what the condition throws", () => {
  const fault = (): boolean => {
    throw new RangeError("broken");
  };
  assertThrows(() => turnUntil(fault, "nothing"), RangeError);
});

Deno.test("patiently() runs a command as it is", async () => {
  const [program = "", ...args] = patiently("sh", "-c", 'echo "$1"; exit 3', "sh", "a b");
  const { code, stdout } = await run(program, ...args);
  assertEquals([code, stdout], [3, "a b\n"]);
});
