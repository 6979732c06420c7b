/**
 * Checking damaged images: whatever is wrong with them, an answer comes, or an error that says so.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertGreater } from "@std/assert";
import { parallels } from "../../src/format/parallels/mod.ts";
import { vdi } from "../../src/format/vdi/mod.ts";
import { vhd } from "../../src/format/vhd/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../src/image/errors.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";
import { mutated } from "./mutations.ts";
import { openImageFile } from "./opened_image.ts";
import { parallelsOriginal } from "./parallels/original.ts";
import { Random } from "./qcow/write/random_ops.ts";
import { vdiOriginal } from "./vdi/original.ts";
import { vhdOriginal } from "./vhd/original.ts";

const IMAGES = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 2000);

for (
  const { driver, original } of [
    { driver: vdi, original: vdiOriginal() },
    { driver: vhd, original: vhdOriginal() },
    ...parallelsOriginal().slice(0, 1).map((original) => ({ driver: parallels, original })),
  ]
) {
  Deno.test(`${driver.name}: damaged images are checked`, () => {
    using folder = new TempDirectory(memoryFolder());
    const path = folder.file("image");
    const random = new Random(5);
    let faults = 0;
    for (let n = 0; n < IMAGES; n++) {
      Deno.writeFileSync(path, mutated(original, () => random.below(2 ** 32) / 2 ** 32));
      using file = openImageFile(path);
      try {
        faults += driver.check?.(file, { repair: "none", report: () => {} }).corruptions ?? 0;
      } catch (error) {
        const isExpected = error instanceof ImageFormatError || error instanceof RangeError ||
          error instanceof UnsupportedFeatureError;
        if (!isExpected) throw new Error(`image ${n}`, { cause: error });
      }
    }
    assertGreater(faults, IMAGES / 20);
  });
}
