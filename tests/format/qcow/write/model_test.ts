/**
 * Random changes of images of every feature, against a model, and against what qemu's tools say of the
 * image afterwards.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { decryptByQemu } from "../../../support/encrypted.ts";
import { must, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { checkImage } from "./checker.ts";
import { makeOriginal, type Original, ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "./originals.ts";
import { type Op, Random, randomOp } from "./random_ops.ts";
import { WritableDisk } from "./writable_disk.ts";

const ROUNDS = 3;
const OPS = 120;

/** A disk, and what it has to be. */
class Modelled {
  readonly disk: WritableDisk;
  readonly model: Uint8Array;

  constructor({ path, keys }: Original) {
    this.disk = new WritableDisk(path, keys === undefined ? {} : { keys });
    this.model = this.disk.read(0, this.disk.sizeBytes).slice();
  }

  apply(op: Op): void {
    this.disk.apply(op);
    if (op.kind === "write") this.model.set(op.bytes, op.offset);
    if (op.kind === "zeros") this.model.fill(0, op.offset, op.offset + op.length);
    if (op.kind === "discard") this.#seeDiscarded(op.offset, op.length);
  }

  /** What has been discarded is zeros or as it was, sector by sector. */
  #seeDiscarded(offset: number, length: number): void {
    const found = this.disk.read(offset, length);
    for (let at = 0; at < length; at += 512) {
      const sector = found.subarray(at, at + 512);
      const isZero = sector.every((byte) => byte === 0);
      if (!isZero) assert(sameBytes(sector, this.model.subarray(offset + at, offset + at + 512)));
      this.model.set(sector, offset + at);
    }
  }

  check(what: string): void {
    const found = this.disk.read(0, this.disk.sizeBytes);
    if (sameBytes(found, this.model)) return;
    const at = found.findIndex((byte, index) => byte !== this.model[index]);
    throw new Error(`${what}: wrong from ${at} on`);
  }
}

/** What qemu's tools find in an image that has been closed. */
async function askQemu(original: Original, folder: TempDirectory): Promise<Uint8Array> {
  const { path, keys } = original;
  const bytes = Deno.readFileSync(path);
  assertEquals(checkImage(bytes), { corruptions: [], leaks: 0 });
  if (keys !== undefined) {
    await decryptByQemu(path, "qcow2", folder.file("raw"));
  } else {
    const { code, stdout, stderr } = await run("qemu-img", "check", "-f", "qcow2", path);
    assertEquals([code, stderr], [0, ""], stdout);
    await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, folder.file("raw"));
  }
  return Deno.readFileSync(folder.file("raw"));
}

for (const recipe of ORIGINAL_RECIPES) {
  oracleTest(`qcow writes as a model has it, and leaves a valid image: ${recipe.name}`, [
    ...ORIGINAL_TOOLS,
  ], async () => {
    using folder = new TempDirectory();
    const original = await makeOriginal(folder.path, recipe);
    const random = new Random(recipe.sizeBytes + recipe.name.length);
    let id = 1;
    for (let round = 0; round < ROUNDS; round++) {
      const modelled = new Modelled(original);
      const { unitBytes = 512 } = modelled.disk.access.image.writing?.tables ?? {};
      const limits = { sizeBytes: recipe.sizeBytes, mostBytes: 96 * 1024, unitBytes };
      for (let n = 0; n < OPS; n++) {
        const op = randomOp(random, limits, id++);
        modelled.apply(op);
        if (n % 10 === 0) modelled.check(`round ${round}, change ${n}`);
      }
      modelled.check(`round ${round}`);
      assert(modelled.disk.close());
      const raw = await askQemu(original, folder);
      assert(
        sameBytes(raw.subarray(0, modelled.model.length), modelled.model),
        "qemu reads other bytes",
      );
    }
  });
}
