// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { openLibc } from "../../src/sys/libc.ts";
import { forgetSecret, keepSecret, makeSecret, secretBytes } from "../../src/sys/secret.ts";
import { flagsOfMemory } from "../support/memory_flags.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const LOCKED = "lo";
const NOT_DUMPED = "dd";

Deno.test("makeSecret() has memory of its own, locked, and in no core dump", () => {
  const secret = makeSecret(64);
  try {
    const flags = flagsOfMemory(Deno.pid, secret.address);
    assert(flags.includes(LOCKED) && flags.includes(NOT_DUMPED), flags.join(" "));
    assertEquals(secretBytes(secret), new Uint8Array(64));
    secretBytes(secret).set([1, 2, 3]);
    assertEquals(secretBytes({ ...secret }).subarray(0, 4), Uint8Array.of(1, 2, 3, 0));
  } finally {
    forgetSecret(secret);
  }
  assertEquals(flagsOfMemory(Deno.pid, secret.address), []);
});

Deno.test("keepSecret() leaves nothing in what it takes the secret from", () => {
  const bytes = Uint8Array.of(7, 8, 9);
  assertEquals(keepSecret(bytes), Uint8Array.of(7, 8, 9));
  assertEquals(bytes, new Uint8Array(3));
  assertEquals(keepSecret(new Uint8Array()), new Uint8Array());
});
