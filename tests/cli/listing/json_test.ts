// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { columnOf } from "../../../src/cli/listing/columns.ts";
import { formatJson } from "../../../src/cli/listing/json.ts";

const COLUMNS = (["NAME", "RO", "SIZELIMIT", "BACK-FILE"] as const).map(columnOf);

Deno.test("formatJson() has an array without devices", () => {
  assertEquals(formatJson(COLUMNS, []), '{\n   "loopdevices": [\n\n   ]\n}\n');
});

Deno.test("formatJson() has strings, numbers and booleans; null where nothing is known", () => {
  const text = formatJson(COLUMNS, [["/a", "1", "5", "/i"], ["/b", "0", undefined, undefined]]);
  assertEquals(JSON.parse(text), {
    loopdevices: [
      { "name": "/a", "ro": true, "sizelimit": 5, "back-file": "/i" },
      { "name": "/b", "ro": false, "sizelimit": null, "back-file": null },
    ],
  });
  assertEquals(
    text.split("\n").slice(0, 9).join("\n"),
    '{\n   "loopdevices": [\n      {\n' +
      '         "name": "/a",\n         "ro": true,\n         "sizelimit": 5,\n' +
      '         "back-file": "/i"\n      },{\n         "name": "/b",',
  );
});

Deno.test("formatJson() keeps any name that is text", () => {
  const name = 'a"b\\c\n\t\b\f\r\x01\x7fä日💾/';
  const { loopdevices } = JSON.parse(formatJson([columnOf("NAME")], [[name]]));
  assertEquals(loopdevices, [{ name }]);
});

Deno.test("formatJson() writes escapes as libsmartcols does", () => {
  const text = formatJson([columnOf("NAME")], [["\x01\x1f\n\x7f"]]);
  assertEquals(text.includes('"name": "\\u0001\\u001f\\n\x7f"'), true);
});
