// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeDescription,
  DESCRIPTION_BYTES,
  encodeDescription,
  type ViewDescription,
} from "../../src/view/description.ts";

const DESCRIPTION: ViewDescription = {
  image: "/var/lib/Ünïcode disk.qcow2",
  format: "QCOW",
  imageDevice: [259, 3],
  imageInode: 2 ** 52 + 1,
};

/** As it lies in the metadata: zeros follow. */
function stored(description: ViewDescription): Uint8Array {
  const bytes = new Uint8Array(DESCRIPTION_BYTES);
  bytes.set(encodeDescription(description));
  return bytes;
}

Deno.test("decodeDescription() reads what encodeDescription() wrote", () => {
  const view = {
    snapshot: "before",
    noBacking: true,
    backingFormat: "RAW",
    parents: ["/a", "/b"],
    force: true,
  } as const;
  const limited = { ...DESCRIPTION, sizeLimitBytes: 0 };
  for (const description of [DESCRIPTION, { ...DESCRIPTION, view }, limited]) {
    assertEquals(decodeDescription(stored(description)), description);
  }
});

Deno.test("encodeDescription() leaves out what would not fit, whatever the image is called", () => {
  const name = fc.string({ unit: "grapheme", maxLength: 2000 });
  fc.assert(fc.property(name, name, (image, snapshot) => {
    const bytes = encodeDescription({ ...DESCRIPTION, image, view: { snapshot } });
    assert(bytes.length < DESCRIPTION_BYTES);
    const found = decodeDescription(stored({ ...DESCRIPTION, image, view: { snapshot } }));
    assertEquals(found?.imageInode, DESCRIPTION.imageInode);
    assert(found?.image === image || found?.image === "");
  }));
});

Deno.test("decodeDescription() takes nothing else for a description", () => {
  const whole = { version: 1, ...DESCRIPTION };
  const others: unknown[] = [
    undefined,
    null,
    1,
    {},
    { ...whole, version: 2 },
    { ...whole, image: 1 },
    { ...whole, imageDevice: [1] },
    { ...whole, imageDevice: ["1", 2] },
    { ...whole, imageInode: "1" },
    { ...whole, view: 1 },
    { ...whole, sizeLimitBytes: "0" },
    { ...whole, view: { snapshot: 1 } },
  ];
  for (const other of others) {
    const bytes = new Uint8Array(DESCRIPTION_BYTES);
    bytes.set(new TextEncoder().encode(JSON.stringify(other) ?? ""));
    assertEquals(decodeDescription(bytes), undefined, JSON.stringify(other));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: DESCRIPTION_BYTES }), (bytes) => {
    assertEquals(decodeDescription(bytes), undefined);
  }));
});
