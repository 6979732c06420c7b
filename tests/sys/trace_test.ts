// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { parseTraceTopics } from "../../src/sys/trace.ts";

Deno.test("parseTraceTopics() takes topics, all of them, or none", () => {
  assertEquals([...parseTraceTopics("")], []);
  assertEquals([...parseTraceTopics("daemon,KERNEL")], ["kernel", "daemon"]);
  assertEquals([...parseTraceTopics("cli kernel, nothing")], ["cli", "kernel"]);
  assertEquals([...parseTraceTopics("all")], ["cli", "kernel", "daemon"]);
});
