/**
 * Options as fstab(5) has them.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { formatByName, listedOptions, ownWord } from "../../../src/cli/words/option_list.ts";
import { FORMAT_NAMES } from "../../../src/image/formats.ts";

Deno.test("listedOptions() splits at commas that are not in quotes", () => {
  assertEquals(listedOptions(""), []);
  assertEquals(listedOptions('ro,,snapshot="a,b",x=,y=1=2'), [
    { name: "ro", value: undefined, text: "ro" },
    { name: "snapshot", value: "a,b", text: 'snapshot="a,b"' },
    { name: "x", value: "", text: "x=" },
    { name: "y", value: "1=2", text: "y=1=2" },
  ]);
});

Deno.test("ownWord() knows options about images, and none that file systems have, too", () => {
  const words = listedOptions(
    "format=qcow,overlay,offset=1MiB,discard,force,threads=single,noatime",
  )
    .map((option) => ownWord(option));
  const others = [undefined, undefined, undefined, undefined];
  assertEquals(words, ["--file-fmt-type=qcow", "--overlay", "--offset=1MiB", ...others]);
});

Deno.test("formatByName() goes by the end of the name", () => {
  const formats = [
    "a.qcow2",
    "a.QCOW2",
    "/x.vdi/b",
    "b.vdi",
    "c.hdd/",
    "c.img",
    "auto",
    "d.auto",
    ".qed",
  ]
    .map((name) => formatByName(name, FORMAT_NAMES));
  const expected = ["QCOW", "QCOW", "RAW", "VDI", "PARALLELS", "RAW", "RAW", "RAW", "QED"];
  assertEquals(formats, expected);
});
