// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { crc32c } from "../../../src/format/kit/crc32c.ts";

/** RFC 3720, B.4, and the check value of the catalogue of CRCs. */
const KNOWN: readonly [bytes: Uint8Array, checksum: number][] = [
  [new TextEncoder().encode("123456789"), 0xe3069283],
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  [new Uint8Array(0), 0],
];

Deno.test("crc32c() has the values that are known", () => {
  for (const [bytes, checksum] of KNOWN) assertEquals(crc32c(bytes), checksum);
});

Deno.test("crc32c() takes its own place for zeros", () => {
  for (const place of [0, 5, 28]) {
    const bytes = new Uint8Array(32);
    bytes.fill(0xab, place, place + 4);
    assertEquals(crc32c(bytes, place), 0x8a9136aa);
  }
});
