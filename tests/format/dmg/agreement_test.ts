// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { dmg } from "../../../src/format/dmg/mod.ts";
import { randomNumbers } from "../../support/images.ts";
import { sampleContent } from "../../support/lzfse_samples.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, readRange, sameBytes } from "../opened_image.ts";
import { dmgOf, type Packer, SAMPLE_BYTES } from "./image_builder.ts";

const PACKERS: readonly (readonly Packer[])[] = [
  ["raw"],
  ["zlib"],
  ["zlib", "raw"],
  ["adc", "zlib"],
  ["bzip2", "raw", "zlib"],
  ["xz", "adc"],
  ["lzfse"],
];
/** Whole samples, and others. */
const SAMPLE_SECTORS = SAMPLE_BYTES / 512;
/** In sectors: of the disk, and of its chunks at most. */
const SHAPES = [[1, 1], [2047, 512], [4099, 2048], [900, 7], [200, SAMPLE_SECTORS]] as const;

/** A disk of zeros, text and noise, which begins with what there is a sample of. */
function diskOf(sectors: number, seed: number): Uint8Array {
  const random = randomNumbers(seed);
  const disk = new Uint8Array(sectors * 512);
  const head = sampleContent(SAMPLE_BYTES).subarray(0, disk.length);
  disk.set(head);
  for (let at = head.length; at < disk.length;) {
    const end = Math.min(disk.length, at + Math.ceil(random() ** 3 * 200_000));
    const kind = Math.floor(random() * 3);
    for (; at < end; at++) {
      disk[at] = kind === 0 ? 0 : kind === 1 ? 97 + random() * 3 : random() * 256;
    }
  }
  return disk;
}

for (const packers of PACKERS) {
  const isQemus = packers.every((packer) => packer === "zlib" || packer === "raw");
  const oracle = isQemus ? "qemu and 7-Zip" : "7-Zip";
  oracleTest(
    `dmg and ${oracle} agree on chunks of ${packers.join(", ")}`,
    ["7z", "bzip2", "qemu-img", "xz"],
    async () => {
      for (const [seed, [sectors, chunkSectors]] of SHAPES.entries()) {
        using folder = new TempDirectory();
        const path = folder.file("disk.dmg");
        const disk = diskOf(sectors, seed + 1);
        Deno.writeFileSync(path, await dmgOf(disk, packers, chunkSectors));
        using image = new OpenedImage(path, dmg);
        assertEquals(image.image.sizeBytes, disk.length);
        assert(sameBytes(image.read(0, disk.length), disk));
        const theirs = folder.file("theirs");
        await must("7z", "x", "-tDmg", "-bd", `-o${theirs}`, path);
        const [file = ""] = [...Deno.readDirSync(theirs)].map(({ name }) => `${theirs}/${name}`);
        assert(sameBytes(readRange(file, 0, disk.length), disk), `7-Zip: ${sectors}`);
        if (!isQemus) continue;
        const raw = folder.file("disk.raw");
        await must("qemu-img", "convert", "-f", "dmg", "-O", "raw", path, raw);
        assert(sameBytes(readRange(raw, 0, disk.length), disk), `qemu: ${sectors}`);
      }
    },
  );
}

const SAMPLE = new URL("../../../testdata/hfsplus_zlib.dmg.zst", import.meta.url).pathname;
/** Where the sample's partition begins, and its volume header in there. */
const VOLUME_HEADER = 40 * 512 + 1024;

oracleTest(
  "dmg and qemu agree on the sample that macOS has made",
  ["qemu-img", "zstd"],
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("sample.dmg");
    const raw = folder.file("sample.raw");
    await must("zstd", "-qd", "-o", path, SAMPLE);
    await must("qemu-img", "convert", "-f", "dmg", "-O", "raw", path, raw);
    using image = new OpenedImage(path, dmg);
    assertEquals(image.image.sizeBytes, 1954304);
    assert(sameBytes(image.read(0, 1954304), readRange(raw, 0, 1954304)));
    assertEquals(new TextDecoder().decode(image.read(VOLUME_HEADER, 2)), "H+");
  },
);
