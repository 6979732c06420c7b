// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Parts, PartStarts, ZeroPart } from "../../../src/format/kit/parts.ts";
import { Extent, type MappedDisk, Mapping } from "../../../src/image/mapping.ts";
import { randomNumbers } from "../../support/images.ts";

Deno.test("PartStarts finds every byte's part, be some of them empty", () => {
  const random = randomNumbers(5);
  for (let n = 0; n < 200; n++) {
    const sizes = Array.from(
      { length: 1 + Math.floor(random() * 9) },
      () => Math.floor(random() ** 2 * 8),
    );
    const starts = new PartStarts(sizes);
    const parts = sizes.flatMap((size, index) => Array<number>(size).fill(index));
    assertEquals(starts.endBytes, parts.length);
    const places = [...parts.keys()].sort(() => random() - 0.5);
    for (const at of places) assertEquals(starts.find(at), parts[at], `${at} of ${sizes}`);
  }
});

Deno.test("Parts clips answers to the part, and counts compressed pieces from the disk's start", () => {
  const asked: number[][] = [];
  const packed: MappedDisk = {
    sizeBytes: 300,
    map: (guestOffset, lengthBytes, mapping) => {
      asked.push([guestOffset, lengthBytes]);
      mapping.kind = Extent.Packed;
      mapping.setPiece(200, 100, lengthBytes);
    },
  };
  const parts = new Parts([new ZeroPart(1000), packed, new ZeroPart(10)]);
  const mapping = new Mapping();
  parts.map(900, 500, mapping);
  assertEquals([mapping.kind, mapping.lengthBytes], [Extent.Zero, 100]);
  parts.map(1250, 500, mapping);
  assertEquals(asked, [[250, 50]]);
  assertEquals([mapping.pieceStart, mapping.pieceBytes], [1200, 100]);
  assertEquals([parts.sizeBytes, parts.fileHoles], [1310, undefined]);
});
