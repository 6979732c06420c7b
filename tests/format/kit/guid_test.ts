// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { guidText } from "../../../src/format/kit/guid.ts";

Deno.test("guidText() turns the first three fields round", () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => index);
  assertEquals(guidText(bytes), "03020100-0504-0706-0809-0a0b0c0d0e0f");
});

Deno.test("guidText() has none for zeros", () => {
  assertEquals(guidText(new Uint8Array(16)), undefined);
});
