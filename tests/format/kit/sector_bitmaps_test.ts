// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { SectorBitmaps } from "../../../src/format/kit/sector_bitmaps.ts";
import { Mapping } from "../../../src/image/mapping.ts";
import { randomNumbers } from "../../support/images.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";

const BITS = 4096;

for (const firstBit of ["highest", "lowest"] as const) {
  Deno.test(`SectorBitmaps.runLength() counts as one would bit by bit, the ${firstBit} first`, () => {
    using folder = new TempDirectory();
    const path = folder.file("bits");
    const random = randomNumbers(1);
    // Bytes of all ones, of all zeros, and of anything.
    const bytes = Uint8Array.from({ length: BITS / 8 }, () => {
      const kind = random();
      return kind < 0.4 ? 0 : kind < 0.8 ? 0xff : random() * 256;
    });
    Deno.writeFileSync(path, bytes);
    using file = openImageFile(path);
    const shape = { bitmapBytes: BITS / 8, bitmaps: 1, firstBit };
    const bitmaps = new SectorBitmaps(file, shape, 0);
    const position = bitmaps.find(0, 0, new Mapping());
    const flip = firstBit === "highest" ? 7 : 0;
    const bit = (at: number): boolean =>
      ((bytes[Math.floor(at / 8)] ?? 0) & 1 << (at % 8 ^ flip)) !== 0;
    for (let tried = 0; tried < 2000; tried++) {
      const first = Math.floor(random() * BITS);
      const count = 1 + Math.floor(random() * (BITS - first));
      let run = 1;
      while (run < count && bit(first + run) === bit(first)) run++;
      assertEquals(bitmaps.isSet(position, first), bit(first));
      assertEquals(bitmaps.runLength(position, first, count), run, `${count} from ${first}`);
    }
  });
}
