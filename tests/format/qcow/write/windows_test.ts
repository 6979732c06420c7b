/**
 * Parts of a disk that begin and end anywhere, changed byte by byte: what lies around them stays as it is.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { decryptByQemu } from "../../../support/encrypted.ts";
import { memoryFolder, must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { checkImage } from "./checker.ts";
import { makeOriginal, type Original, ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "./originals.ts";
import { Random } from "./random_ops.ts";
import { WritableDisk } from "./writable_disk.ts";

const FOLDER = memoryFolder();
const ROUNDS = 2;
const OPS = 80;
const OFFSETS: readonly [number, ...number[]] = [0, 1, 100, 512, 1536, 4096, 5000, 70_000];
const LIMITS: readonly [number, ...number[]] = [0, 4095, 30_001, 65_536, 100_000];
const LENGTHS: readonly [number, ...number[]] = [10, 600, 5000, 70_000];

/** A part of a disk, and what all of the disk has to be. */
class Window {
  readonly #disk: WritableDisk;
  readonly #offset: number;
  readonly #model: Uint8Array;
  readonly #random: Random;

  constructor({ path, keys }: Original, model: Uint8Array, random: Random) {
    this.#random = random;
    this.#offset = random.oneOf(OFFSETS);
    this.#model = model;
    const sizeLimitBytes = random.oneOf(LIMITS);
    const request = { offsetBytes: this.#offset, sizeLimitBytes, metadataCacheBytes: 4096 };
    this.#disk = new WritableDisk(path, { request, ...keys === undefined ? {} : { keys } });
  }

  changeSome(): void {
    for (let n = 1; n <= OPS; n++) this.#changeOne(n);
    assert(this.#disk.close());
  }

  #changeOne(n: number): void {
    const { sizeBytes } = this.#disk;
    const at = this.#random.below(sizeBytes);
    const most = Math.min(sizeBytes - at, this.#random.oneOf(LENGTHS));
    const length = 1 + this.#random.below(most);
    const start = this.#offset + at;
    switch (this.#random.below(8)) {
      case 0:
        this.#disk.writeZeros(at, sizeBytes - at, n % 2 === 0);
        this.#model.fill(0, start, this.#offset + sizeBytes);
        return;
      case 1:
        this.#disk.writeZeros(at, length, n % 2 === 0);
        this.#model.fill(0, start, start + length);
        return;
      case 2:
        return this.#discard(at, length);
      case 3:
        return assert(this.#disk.flush());
      case 4:
        return this.#compare(at, length);
      default: {
        const bytes = new Uint8Array(length).map((_, index) => n * 7 + index * 13 + 1);
        this.#disk.write(at, bytes);
        this.#model.set(bytes, start);
      }
    }
  }

  #discard(at: number, length: number): void {
    this.#disk.discard(at, length);
    const found = this.#disk.read(at, length);
    const before = this.#model.subarray(this.#offset + at);
    assert(found.every((byte, index) => byte === 0 || byte === before[index]));
    before.set(found);
  }

  #compare(at: number, length: number): void {
    const start = this.#offset + at;
    const wanted = this.#model.subarray(start, start + length);
    assert(sameBytes(this.#disk.read(at, length), wanted));
  }
}

async function rawBytes({ path, keys }: Original, folder: TempDirectory): Promise<Uint8Array> {
  const raw = folder.file("raw");
  if (keys !== undefined) await decryptByQemu(path, "qcow2", raw);
  else await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw);
  return Deno.readFileSync(raw);
}

for (const recipe of ORIGINAL_RECIPES) {
  oracleTest(
    `parts of a qcow disk are written byte by byte: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(FOLDER);
      const original = await makeOriginal(folder.path, recipe);
      const model = await rawBytes(original, folder);
      const random = new Random(recipe.sizeBytes + recipe.name.length);
      for (let round = 0; round < ROUNDS; round++) {
        new Window(original, model, random).changeSome();
        assertEquals(checkImage(Deno.readFileSync(original.path)), { corruptions: [], leaks: 0 });
        assert(sameBytes(await rawBytes(original, folder), model), `round ${round}`);
      }
      if (recipe.dataFile !== "raw") return;
      const data = Deno.readFileSync(original.dataPath ?? "");
      assert(sameBytes(data, model.subarray(0, data.length)), "the raw data file has other bytes");
    },
  );
}
