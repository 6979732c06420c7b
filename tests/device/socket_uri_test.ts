// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { socketUri, withoutUri } from "../../src/device/socket_uri.ts";

Deno.test("withoutUri() finds the path that socketUri() was given", () => {
  for (const path of ["/tmp/s", "/a b/ä&?=%2F", "/run/x/../y"]) {
    assertEquals(withoutUri(socketUri(path)), path);
  }
});

Deno.test("withoutUri() leaves other names alone", () => {
  for (const name of ["/dev/loop0", "loop0", "nbd+unix:///?socket=%", "nbd://host"]) {
    assertEquals(withoutUri(name), name);
  }
});
