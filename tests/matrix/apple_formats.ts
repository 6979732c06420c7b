/**
 * The images of macOS's formats in the matrix: no tool outside macOS writes them, so they are made here, of
 * several disks.
 *
 * @module
 */
import {
  HEADER,
  MAGIC,
  NODE_BYTES,
  SECTOR_BYTES,
  SLOT_BYTES,
  VERSION,
} from "../../src/format/sparseimage/layout.ts";
import { propertyList } from "../format/sparsebundle/bundle_builder.ts";
import { makeRawDisk, type RawDisk } from "./other_formats.ts";

const MIB = 1024 * 1024;
const BAND = MIB;

/** An image of macOS's. */
export interface AppleRecipe extends RawDisk {
  readonly name: string;
  readonly format: "SPARSEIMAGE" | "SPARSEBUNDLE";
}

const DISKS = [
  { sizeBytes: 512, filling: "some" },
  { sizeBytes: 2 * MIB, filling: "full" },
  { sizeBytes: 7 * MIB + 512, filling: "empty" },
  { sizeBytes: 7 * MIB + 512, filling: "some" },
  { sizeBytes: 40 * MIB, filling: "some" },
] as const;

/** All of them. */
export const APPLE_RECIPES: readonly AppleRecipe[] = (["SPARSEIMAGE", "SPARSEBUNDLE"] as const)
  .flatMap((format) =>
    DISKS.map((disk, seed) => ({
      ...disk,
      format,
      seed: 2000 + seed,
      name: `${format}, ${disk.sizeBytes} bytes, ${disk.filling}`,
    }))
  );

/** An image, and the disk that it was made from. */
export interface AppleImage {
  readonly path: string;
  readonly rawPath: string;
}

/** Makes the image of a recipe in `folder`. */
export async function makeAppleImage(folder: string, recipe: AppleRecipe): Promise<AppleImage> {
  const rawPath = `${folder}/disk.raw`;
  await makeRawDisk(rawPath, recipe);
  const path = `${folder}/disk.${recipe.format.toLowerCase()}`;
  const disk = Deno.readFileSync(rawPath);
  if (recipe.format === "SPARSEIMAGE") Deno.writeFileSync(path, sparseimageOf(disk));
  else writeBundle(path, disk);
  return { path, rawPath };
}

/** What is not zeros. */
function bandsOf(disk: Uint8Array): Map<number, Uint8Array> {
  const bands = new Map<number, Uint8Array>();
  for (let start = 0; start < disk.length; start += BAND) {
    const band = disk.subarray(start, start + BAND);
    if (band.some((byte) => byte !== 0)) bands.set(start / BAND, band);
  }
  return bands;
}

/** The last band comes first. */
function sparseimageOf(disk: Uint8Array): Uint8Array {
  const bands = [...bandsOf(disk)].reverse();
  const bytes = new Uint8Array(NODE_BYTES + bands.length * BAND);
  const view = new DataView(bytes.buffer);
  const sectors = BigInt(disk.length / SECTOR_BYTES);
  const bandSectors = BAND / SECTOR_BYTES;
  const values = { magic: MAGIC, version: VERSION, flags: 1, bandSectors, sectors };
  HEADER.write(view, 0, { ...values, lowSectors: Number(sectors) });
  for (const [slot, [band, content]] of bands.entries()) {
    view.setUint32(HEADER.sizeBytes + slot * SLOT_BYTES, band + 1);
    bytes.set(content, NODE_BYTES + slot * BAND);
  }
  return bytes;
}

/** Of each band, the zeros at its end are not there. */
function writeBundle(path: string, disk: Uint8Array): void {
  Deno.mkdirSync(`${path}/bands`, { recursive: true });
  for (const [number, band] of bandsOf(disk)) {
    const end = band.findLastIndex((byte) => byte !== 0) + 1;
    Deno.writeFileSync(`${path}/bands/${number.toString(16)}`, band.subarray(0, end));
  }
  Deno.writeFileSync(`${path}/token`, new Uint8Array());
  const list = propertyList({ bandBytes: BAND, sizeBytes: disk.length });
  Deno.writeTextFileSync(`${path}/Info.plist`, list);
}
