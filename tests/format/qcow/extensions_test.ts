// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { extensionText, readExtensions } from "../../../src/format/qcow/extensions.ts";
import { ExtensionType } from "../../../src/format/qcow/layout.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";

const START = 104;
const END = 4096;

const TYPES = [...Object.values(ExtensionType), 0x11223344];
/** What is kept, and how long it can be. */
const LIMITS: ReadonlyMap<number, number> = new Map([
  [ExtensionType.backingFormat, 15],
  [ExtensionType.dataFile, 4096],
  [ExtensionType.encryptionHeader, 16],
]);

interface Made {
  readonly type: number;
  readonly data: Uint8Array;
}

const extension = fc.record({
  type: fc.constantFrom(...TYPES.filter((type) => type !== ExtensionType.end)),
  data: fc.uint8Array({ maxLength: 24 }),
});

/** The first cluster of an image, with extensions as long as there is room. */
function cluster(extensions: readonly Made[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(END);
  const view = new DataView(bytes.buffer);
  let at = START;
  for (const { type, data } of extensions) {
    if (at + 8 + data.length > END) break;
    view.setUint32(at, type);
    view.setUint32(at + 4, data.length);
    bytes.set(data, at + 8);
    at += 8 + Math.ceil(data.length / 8) * 8;
  }
  return bytes;
}

function read(bytes: Uint8Array<ArrayBuffer>): ReturnType<typeof readExtensions> | undefined {
  try {
    return readExtensions({ bytes, start: START, end: END, path: "x" });
  } catch (error) {
    if (error instanceof ImageFormatError) return undefined;
    throw error;
  }
}

Deno.test("readExtensions() keeps the last of each type that matters, or refuses one too long", () => {
  fc.assert(
    fc.property(fc.array(extension, { maxLength: 30 }), (extensions) => {
      const found = read(cluster(extensions));
      const isTooLong = extensions.some(({ type, data }) =>
        data.length > (LIMITS.get(type) ?? Infinity)
      );
      assertEquals(found === undefined, isTooLong);
      const kept = extensions.filter(({ type }) => LIMITS.has(type));
      if (found !== undefined) {
        assertEquals(found.kept, new Map(kept.map(({ type, data }) => [type, data])));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("readExtensions() keeps little, whatever there is", () => {
  const bytes = fc.uint8Array({ minLength: END - START, maxLength: END - START });
  const words = fc.array(fc.constantFrom(...TYPES, 0, 1, 8, 15, 4096, 2 ** 32 - 1), {
    minLength: (END - START) / 4,
    maxLength: (END - START) / 4,
  }).map((values) => {
    const view = new DataView(new ArrayBuffer(END - START));
    values.forEach((value, index) => view.setUint32(index * 4, value));
    return new Uint8Array(view.buffer);
  });
  fc.assert(
    fc.property(fc.oneof(bytes, words), (content) => {
      const whole = new Uint8Array(END);
      whole.set(content, START);
      const found = read(whole);
      if (found === undefined) return;
      assert(found.startBytes === START && found.endBytes >= START && found.endBytes <= END);
      for (const [type, data] of found.kept) assert(data.length <= (LIMITS.get(type) ?? -1));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("extensionText() is the text of an extension, if there is one", () => {
  const data = new TextEncoder().encode("qcow2");
  const found = read(cluster([{ type: ExtensionType.backingFormat, data }]));
  if (found === undefined) throw new Error("refused");
  assertEquals(extensionText(found, ExtensionType.backingFormat), "qcow2");
  assertEquals(extensionText(found, ExtensionType.dataFile), undefined);
});
