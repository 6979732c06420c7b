// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { keyRing } from "../../src/image/key_ring.ts";
import { makeKeyFile, readKeyFile } from "../../src/daemon/key_file.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { keepSecret, makeSecret, secretBytes } from "../../src/sys/secret.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("readKeyFile() has the keys of makeKeyFile(), as often as it is read, and no passphrase", () => {
  const ring = keyRing(keepSecret(new TextEncoder().encode("a passphrase")));
  for (const [name, bytes] of Object.entries({ "a": [1, 0, 2], "b \u0000": [], "c": [255] })) {
    const place = makeSecret(bytes.length);
    secretBytes(place).set(bytes);
    ring.volumeKeys.set(name, place);
  }
  using file = makeKeyFile(ring);
  for (let times = 0; times < 2; times++) {
    const { passphrase, volumeKeys } = readKeyFile(file?.number);
    assertEquals(passphrase, undefined);
    const read = [...volumeKeys].map(([name, place]) => [name, [...secretBytes(place)]]);
    assertEquals(read, [["a", [1, 0, 2]], ["b \u0000", []], ["c", [255]]]);
  }
});

Deno.test("makeKeyFile() makes none without keys", () => {
  assertEquals(makeKeyFile(keyRing()), undefined);
});
