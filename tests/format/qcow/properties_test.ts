// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { IMAGE_TOOLS, type ImageRecipe, makeImage } from "../../support/images.ts";
import { oracleTest, TempDirectory } from "../../support/tools.ts";
import { checkRange, OpenedImage, sameBytes } from "../opened_image.ts";

const RECIPES: readonly Omit<ImageRecipe, "name">[] = [
  { compat: "1.1", clusterBytes: 512, sizeBytes: 700 * 512, filling: "mixed", seed: 101 },
  { compat: "0.10", clusterBytes: 1024, sizeBytes: 500_224, filling: "mixed", seed: 102 },
  { compat: "1.1", clusterBytes: 65536, sizeBytes: 3_000_320, filling: "mixed", seed: 103 },
  {
    compat: "1.1",
    clusterBytes: 16384,
    sizeBytes: 2_000_384,
    filling: "mixed",
    seed: 104,
    options: ["extended_l2=on", "compression_type=zstd"],
  },
];

const RUNS = { numRuns: 300 };

/** Two places of a disk, as offset and length. */
function ranges(sizeBytes: number): fc.Arbitrary<[offset: number, lengthBytes: number]> {
  const place = fc.integer({ min: 0, max: sizeBytes });
  return fc.tuple(place, place)
    .filter(([one, other]) => one !== other)
    .map(([one, other]) => [Math.min(one, other), Math.abs(one - other)]);
}

for (const recipe of RECIPES) {
  const name = `mixed-${recipe.clusterBytes}`;
  oracleTest(`qcow map and read agree on ${name}`, IMAGE_TOOLS, async (t) => {
    using folder = new TempDirectory();
    const made = await makeImage(folder.path, { ...recipe, name });
    using opened = new OpenedImage(made.path, qcow);
    const range = ranges(made.sizeBytes);
    await t.step("map() covers any range exactly, with places inside the file", () => {
      fc.assert(fc.property(range, (asked) => checkExtents(opened, ...asked)), RUNS);
    });
    await t.step("any range reads as qemu reads it", () => {
      fc.assert(fc.property(range, (asked) => checkRange(opened, made.rawPath, asked)), RUNS);
    });
    await t.step("a range reads the same in any pieces", () => {
      const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });
      fc.assert(fc.property(range, cuts, (asked, at) => checkPieces(opened, asked, at)), RUNS);
    });
  });
}

function checkExtents(opened: OpenedImage, offset: number, lengthBytes: number): void {
  let covered = 0;
  for (const { start, mapping } of opened.extents(offset, lengthBytes)) {
    assertEquals(start, offset + covered);
    covered += mapping.lengthBytes;
    if (mapping.kind === Extent.Zero || mapping.kind === Extent.Backing) continue;
    const hostBytes = mapping.kind === Extent.Data ? mapping.lengthBytes : mapping.hostBytes;
    assert(hostBytes > 0 && mapping.hostOffset + hostBytes <= opened.file.sizeBytes);
  }
  assertEquals(covered, lengthBytes);
}

/** @param cuts where to cut, as fractions of the length */
function checkPieces(
  opened: OpenedImage,
  [offset, lengthBytes]: readonly [number, number],
  cuts: readonly number[],
): void {
  const whole = opened.read(offset, lengthBytes);
  const places = cuts.map((cut) => Math.floor(cut * lengthBytes)).sort((a, b) => a - b);
  let done = 0;
  for (const place of [...places, lengthBytes]) {
    const piece = opened.read(offset + done, place - done);
    assert(sameBytes(piece, whole.subarray(done, place)));
    done = place;
  }
}
