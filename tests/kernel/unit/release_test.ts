// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isLinuxSince } from "../../../src/kernel/release.ts";

Deno.test("isLinuxSince() compares numbers, not words", () => {
  assertEquals(isLinuxSince(6, 9, "6.9.0"), true);
  assertEquals(isLinuxSince(6, 9, "6.18.44-fc-v857"), true);
  assertEquals(isLinuxSince(6, 9, "7.0-rc1"), true);
  assertEquals(isLinuxSince(6, 9, "6.8.12"), false);
  assertEquals(isLinuxSince(6, 9, "5.15.0"), false);
  assertEquals(isLinuxSince(6, 9, "a kernel"), false);
});
