// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseRelatedName, RelatedNameError } from "../../src/disk/related_name.ts";

const PLAIN: readonly [name: string, path: string][] = [
  ["base.qcow2", "base.qcow2"],
  ["../a/base.qcow2", "../a/base.qcow2"],
  ["/images/base.qcow2", "/images/base.qcow2"],
  ["./with:colon", "./with:colon"],
  ["/with:colon", "/with:colon"],
  ["file:base.qcow2", "base.qcow2"],
  ["file:/images/base.qcow2", "/images/base.qcow2"],
  ["file:nbd:x", "nbd:x"],
  ["JSON", "JSON"],
];

for (const [name, path] of PLAIN) {
  Deno.test(`parseRelatedName() takes ${name} for a path`, () => {
    assertEquals(parseRelatedName(name), { path });
  });
}

const JSON_NAMES: readonly [text: string, path: string, format?: string][] = [
  ['{"driver":"qcow2","file":{"driver":"file","filename":"x"}}', "x", "qcow2"],
  ['{"driver":"qcow2","file.driver":"file","file.filename":"x"}', "x", "qcow2"],
  ['{"driver":"raw","file":{"driver":"host_device","filename":"/dev/x"}}', "/dev/x", "raw"],
  ['{"driver":"qcow2","file":{"filename":"file:x"}}', "file:x", "qcow2"],
  ['{"driver":"file","filename":"nbd:x"}', "nbd:x", "file"],
  ['{"filename":"x"}', "x"],
  ['{"file.filename":"x"}', "x"],
  ['{"driver":"raw","read-only":true,"file":{"filename":"x","locking":"off"}}', "x", "raw"],
  ["{'driver':'raw','file':{'filename':'it\\'s \"x\"'}}", 'it\'s "x"', "raw"],
  ['{"driver":"raw","file.filename":"it\'s"}', "it's", "raw"],
];

for (const [text, path, format] of JSON_NAMES) {
  Deno.test(`parseRelatedName() understands ${text}`, () => {
    assertEquals(
      parseRelatedName(`json:${text}`),
      format === undefined ? { path } : { path, format },
    );
  });
}

const REFUSED: readonly [name: string, message: string][] = [
  ["x".repeat(4097), "the name is too long"],
  [`json:{"${'\\"'.repeat(2000)}`, "the name is not a valid JSON object"],
  [`json:${'{"b":1,"a":'.repeat(340)}1${"}".repeat(340)}`, "is not supported"],
  ["", "the name is empty"],
  ["file:", "the name is empty"],
  ["nbd:localhost:10809", "the protocol 'nbd' is not supported"],
  ["nbd+unix:///?socket=/tmp/s", "the protocol 'nbd+unix' is not supported"],
  ["http://example.org/x.qcow2", "the protocol 'http' is not supported"],
  [":x", "the protocol '' is not supported"],
  ["bad\ufffdname", "the name is not valid UTF-8"],
  ["json:", "the name is not a valid JSON object"],
  ["json:{", "the name is not a valid JSON object"],
  ["json:[]", "the name is not a valid JSON object"],
  ["json:null", "the name is not a valid JSON object"],
  ['json:"x"', "the name is not a valid JSON object"],
  ["json:{}", "the name says no file"],
  ['json:{"driver":"qcow2"}', "the name says no file"],
  ['json:{"driver":"qcow2","file":"node"}', "the option 'file' is not supported"],
  ['json:{"driver":"qcow2","filename":"x"}', "the driver 'qcow2' is not supported there"],
  ['json:{"driver":"nbd","host":"x"}', "the option 'host' is not supported"],
  [
    'json:{"driver":"raw","file":{"driver":"https","filename":"x"}}',
    "the driver 'https' is not supported there",
  ],
  [
    'json:{"driver":"raw","offset":512,"file":{"filename":"x"}}',
    "the option 'offset' is not supported",
  ],
  [
    'json:{"driver":"raw","file":{"driver":"qcow2","file":{"filename":"x"}}}',
    "the option 'file.file.filename' is not supported",
  ],
  [
    'json:{"file.filename":"x","file":{"filename":"y"}}',
    "the option 'file.filename' is given twice",
  ],
  ['json:{"filename":"x","file":{"filename":"y"}}', "the name says more than one file"],
  ['json:{"filename":7}', "the option 'filename' is no text"],
  ['json:{"filename":"x","__proto__":{"driver":"file"}}', "the option '__proto__.driver'"],
  ['json:{"filename":"x","backing":null}', "the option 'backing' is not supported"],
  ['json:{"filename":""}', "the name is empty"],
  ['json:{"filename":"base\\udcff"}', "the name is no valid path"],
  ['json:{"filename":"base\\u0000x"}', "the name is no valid path"],
];

for (const [name, message] of REFUSED) {
  Deno.test(`parseRelatedName() refuses ${name.slice(0, 100)}: ${message}`, () => {
    assertThrows(() => parseRelatedName(name), RelatedNameError, message);
  });
}

Deno.test("parseRelatedName() survives deep and wide objects as long as a name can be", () => {
  for (
    const text of ["[".repeat(1018), '{"a":'.repeat(203), `{"file":`.repeat(127), "{".repeat(1018)]
  ) {
    assertThrows(() => parseRelatedName(`json:${text}`), RelatedNameError);
  }
  const closed = `${'{"a":'.repeat(170)}1${"}".repeat(170)}`;
  assertThrows(() => parseRelatedName(`json:${closed}`), RelatedNameError, "is not supported");
});

Deno.test("parseRelatedName() throws nothing but RelatedNameError", () => {
  const word = fc.constantFrom("driver", "file", "filename", "file.filename", "x", "raw", "/", ":");
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3 }, word, fc.integer(), fc.constant(null), tie("object")),
    object: fc.dictionary(word, tie("any"), { maxKeys: 4 }),
  })).object;
  const name = fc.oneof(fc.string(), fc.string().map((text) => `json:${text}`));
  const json = value.map((object) => `json:${JSON.stringify(object)}`);
  fc.assert(
    fc.property(fc.oneof(name, json), (text) => {
      try {
        parseRelatedName(text);
      } catch (error) {
        if (!(error instanceof RelatedNameError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
