// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { Payloads } from "../../src/loop/payloads.ts";
import { openLibc } from "../../src/sys/libc.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const MIB = 1024 * 1024;

Deno.test("Payloads.take() gives a bounded amount, and says when to ask again", () => {
  const payloads = new Payloads();
  const taken = Array.from({ length: 16 }, () => payloads.take(MIB));
  assert(taken.every((buffer) => buffer !== undefined && buffer.size >= MIB));
  assertFalse(payloads.takeFreed());
  assertEquals(payloads.take(1), undefined);
  assertFalse(payloads.takeFreed());
  if (taken[0] !== undefined) payloads.give(taken[0]);
  assert(payloads.takeFreed());
  assertFalse(payloads.takeFreed());
  assert(payloads.take(1) !== undefined);
});

Deno.test("Payloads.take() gives one that is longer than all may be, if it is alone", () => {
  const payloads = new Payloads();
  const long = payloads.take(33 * MIB);
  assert(long !== undefined && long.size >= 33 * MIB);
  assertEquals(payloads.take(1), undefined);
  payloads.give(long);
  assert(payloads.take(1) !== undefined);
});

Deno.test("Payloads uses its buffers again", () => {
  const payloads = new Payloads();
  const first = payloads.take(5000);
  assert(first !== undefined);
  payloads.give(first);
  assertEquals(payloads.take(60_000), first);
});
