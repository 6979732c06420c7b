// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { displayWidth } from "../../../src/cli/listing/display_width.ts";
import { shortened } from "../../../src/cli/listing/shorten.ts";

Deno.test("shortened() leaves alone what fits", () => {
  assertEquals(shortened("/a/disk.img", { width: 11, mark: "…" }), "/a/disk.img");
  assertEquals(shortened("", { width: 4, mark: "…" }), "");
});

Deno.test("shortened() leaves the middle out and keeps more of the end", () => {
  const path = "/var/lib/libvirt/images/debian-12.qcow2";
  assertEquals(shortened(path, { width: 25, mark: "…" }), "/var/lib…/debian-12.qcow2");
  assertEquals(shortened(path, { width: 25, mark: "..." }), "/var/li...debian-12.qcow2");
  assertEquals(shortened(path, { width: 4, mark: "…" }), "/…w2");
});

Deno.test("shortened() counts columns, and parts no letter from its marks", () => {
  assertEquals(shortened("日本語のファイル", { width: 8, mark: "…" }), "日…イル");
  assertEquals(shortened("aaaaaae\u0301z", { width: 3, mark: "…" }), "…e\u0301z");
  assertEquals(shortened("aaaaaae\u0301\u0301z", { width: 2, mark: "…" }), "…z");
});

Deno.test("shortened() never exceeds its place", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "/", "日", "\u0301", "é"), maxLength: 60 });
  fc.assert(fc.property(text, fc.integer({ min: 4, max: 40 }), (whole, width) => {
    for (const mark of ["…", "..."]) {
      const short = shortened(whole, { width, mark });
      assert(displayWidth(short) <= width);
      assert(short === whole || short.includes(mark));
    }
  }));
});
