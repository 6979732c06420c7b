// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Bitmaps } from "../../../src/format/vhd/bitmaps.ts";
import { readHeader } from "../../../src/format/vhd/header.ts";
import { Mapping } from "../../../src/image/mapping.ts";
import { randomNumbers } from "../../support/images.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { buildVhd } from "./image_builder.ts";

const BITS = 4096;

Deno.test("Bitmaps.runLength() counts as one would bit by bit", () => {
  using folder = new TempDirectory();
  const path = folder.file("bits");
  Deno.writeFileSync(path, buildVhd());
  using file = openImageFile(path);
  const { blocks } = readHeader(file, { force: false });
  if (blocks === undefined) throw new Error("no blocks");
  const random = randomNumbers(1);
  // Bytes of all ones, of all zeros, and of anything.
  const bytes = Uint8Array.from({ length: BITS / 8 }, () => {
    const kind = random();
    return kind < 0.4 ? 0 : kind < 0.8 ? 0xff : random() * 256;
  });
  Deno.writeFileSync(path, bytes);
  const bitmaps = new Bitmaps(file, blocks, 0);
  const position = bitmaps.find(0, 0, new Mapping());
  const bit = (at: number): boolean => ((bytes[at >> 3] ?? 0) >> 7 - (at & 7) & 1) === 1;
  for (let tried = 0; tried < 2000; tried++) {
    const first = Math.floor(random() * BITS);
    const count = 1 + Math.floor(random() * (BITS - first));
    let run = 1;
    while (run < count && bit(first + run) === bit(first)) run++;
    assertEquals(bitmaps.isSet(position, first), bit(first));
    assertEquals(bitmaps.runLength(position, first, count), run, `${count} from ${first}`);
  }
});
