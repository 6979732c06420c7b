// @ts-types="./std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { eventually, patiently, turnUntil } from "./patience.ts";
import { run } from "./tools.ts";

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
