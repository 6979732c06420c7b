// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { dmgOf, type Packer, SAMPLE_BYTES } from "../format/dmg/image_builder.ts";
import { randomNumbers } from "../support/images.ts";
import { sampleContent } from "../support/lzfse_samples.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { checkAll } from "./lanes.ts";

const MIB = 1024 * 1024;

/** An image that nothing here writes but the tests; what is in it is known. */
interface DmgRecipe {
  readonly name: string;
  readonly packers: readonly Packer[];
  readonly sizeBytes: number;
  readonly chunkSectors: number;
}

const PACKERS: readonly (readonly Packer[])[] = [
  ["raw"],
  ["zlib"],
  ["adc", "raw"],
  ["bzip2"],
  ["xz"],
  ["lzfse", "zlib"],
  ["xz", "zlib", "bzip2", "adc", "raw"],
];
/** In bytes: less than a chunk, an odd number of sectors, many chunks; of them, in sectors. */
const SHAPES = [[512, 512], [3 * MIB + 512, 512], [7 * MIB, 2048], [
  200 * 512,
  SAMPLE_BYTES / 512,
]] as const;

const RECIPES: readonly DmgRecipe[] = PACKERS.flatMap((packers) =>
  SHAPES.map(([sizeBytes, chunkSectors]) => ({
    name: `${packers.join(", ")} of ${sizeBytes} bytes`,
    packers,
    sizeBytes,
    chunkSectors,
  }))
);

/** Runs of zeros, of one byte, and of noise. */
function diskOf({ sizeBytes }: DmgRecipe): Uint8Array {
  const random = randomNumbers(sizeBytes);
  const disk = new Uint8Array(sizeBytes);
  const head = sampleContent(SAMPLE_BYTES).subarray(0, sizeBytes);
  disk.set(head);
  for (let at = head.length; at < sizeBytes;) {
    const end = Math.min(sizeBytes, at + 512 * Math.ceil(random() ** 3 * 3000));
    const byte = Math.floor(random() * 255);
    if (random() < 0.2) { for (; at < end; at++) disk[at] = random() * 256; }
    else if (random() < 0.6) disk.fill(byte, at, end);
    at = end;
  }
  return disk;
}

oracleTest(
  "tslosetup reads every DMG image of the matrix",
  ["bzip2", "nbdinfo", "qemu-img", "xz"],
  async () => {
    await checkAll(RECIPES, checkRecipe);
  },
);

async function checkRecipe(recipe: DmgRecipe): Promise<void> {
  using folder = new TempDirectory();
  const image = folder.file("disk.dmg");
  const raw = folder.file("disk.raw");
  const disk = diskOf(recipe);
  Deno.writeFileSync(raw, disk);
  Deno.writeFileSync(image, await dmgOf(disk, recipe.packers, recipe.chunkSectors));
  const info = JSON.parse(await asRoot().must("--info", "--json", image));
  assertEquals([info.format, info["virtual-size"]], ["dmg", disk.length]);
  await using exported = await ExportedImage.attach({
    folder,
    image,
    options: ["-r", "-t", "auto"],
  });
  assertEquals(Number(await must("nbdinfo", "--size", exported.uri)), disk.length);
  await must("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, exported.uri);
  await exported.detach();
  assertEquals([exported.isGone, exported.attached.stderr], [true, ""]);
}
