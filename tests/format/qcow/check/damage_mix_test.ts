/**
 * Images with several kinds of damage at once: a repair leaves none of it, but for what leads out of
 * the file, and a guest sees what it saw.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "../write/checker.ts";
import { ImageBytes } from "../write/image_bytes.ts";
import { makeOriginal, ORIGINAL_TOOLS, type OriginalRecipe } from "../write/originals.ts";
import { openForWriting } from "../write/writable_disk.ts";
import { DAMAGES } from "./damages.ts";
import { diskContent } from "./disk_content.ts";

const KIB = 1024;
const OUTSIDE = "a place behind the end of the file";
const RECIPES: readonly OriginalRecipe[] = [
  {
    name: "4 KiB",
    sizeBytes: 160 * KIB,
    options: ["cluster_size=4096"],
    commands: ["write -q -P 1 0 100k"],
  },
  {
    name: "512 B, counts of 8 bits",
    sizeBytes: 100 * KIB,
    options: ["cluster_size=512,refcount_bits=8"],
    commands: ["write -q -P 1 0 100k"],
  },
  {
    name: "extended L2, snapshot",
    sizeBytes: 512 * KIB,
    options: ["cluster_size=16k,extended_l2=on"],
    commands: ["write -q -P 1 0 512k"],
    afterSnapshot: ["write -q -P 2 0 256k"],
  },
];

for (const recipe of RECIPES) {
  oracleTest(`checkQcow() repairs any mix of damage: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(memoryFolder());
    const original = await makeOriginal(folder.path, recipe);
    const whole = new ImageBytes(original.path);
    const mixes = fc.subarray(Object.keys(DAMAGES), { minLength: 1 });
    fc.assert(
      fc.property(mixes, (names) => {
        whole.save();
        const image = new ImageBytes(original.path);
        for (const name of names) DAMAGES[name]?.(image);
        image.save();
        const content = diskContent(original);
        using file = openForWriting(original.path);
        checkQcow(file, { repair: "all", report: () => {} });
        const { corruptions, leaks } = checkImage(Deno.readFileSync(original.path));
        assertEquals(diskContent(original), content);
        if (names.includes(OUTSIDE)) return assertGreater(corruptions.length, 0);
        assertEquals([corruptions, leaks], [[], 0]);
      }),
      { numRuns: 60 },
    );
  });
}
