/**
 * The driver's check finds what qemu's finds, in whole images and in damaged ones.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { HostileImages } from "../write/hostile_images.ts";
import { makeOriginal, ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "../write/originals.ts";
import { Random } from "../write/random_ops.ts";
import { checkedByDriver, checkedByQemu, type Verdict } from "./checked.ts";

/** So many damaged images are made of each whole one. */
const DAMAGED = Number(Deno.env.get("TSLOSETUP_CHECKED_IMAGES") ?? 12);

/**
 * Where numbers differ, though both find faults: qemu takes the header for an L2 table where an L1
 * entry has nothing but flags, counts what tables refer to that nobody can read as they are not
 * aligned, and says nothing of clusters that read as EIO as version 2 has no zeros.
 */
const COUNTED_DIFFERENTLY = /no L2 table has flags|L2 table at \S+ is not aligned|in version 2/;

/** What keeps us from opening an image, and qemu, which reads zeros there, from nothing. */
const CUT_OFF = /L1 table lies outside the file/;

for (const [index, recipe] of ORIGINAL_RECIPES.entries()) {
  oracleTest(`checkQcow() finds what qemu-img finds: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(memoryFolder());
    const { path } = await makeOriginal(folder.path, recipe);
    const { code, numbers } = await checkedByQemu(path, recipe);
    const own = checkedByDriver(path);
    assertEquals([own.code, own.numbers], [code, numbers], own.told);
    const hostile = new HostileImages(path);
    const random = new Random(index);
    for (let count = 0; count < DAMAGED; count++) {
      Deno.writeFileSync(path, hostile.next(random));
      compare(checkedByDriver(path), await checkedByQemu(path, recipe), `image ${count}`);
    }
  });
}

function compare(own: Verdict, other: Verdict, name: string): void {
  const told = `${name}\n${own.told}\n---\n${other.told}`;
  if (own.code === 1) {
    return CUT_OFF.test(own.told) ? undefined : assertNotEquals(other.code, 0, told);
  }
  if (other.code === 1) return assertNotEquals(own.code, 0, told);
  assertEquals(own.code, other.code, told);
  if (COUNTED_DIFFERENTLY.test(own.told)) return;
  for (const key of ["corruptions", "leaks"]) {
    assertEquals(own.numbers[key], other.numbers[key], `${key} of ${told}`);
  }
}
