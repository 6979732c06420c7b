/**
 * Random changes of images of every feature, against a model, and against what qemu's tools say of the
 * image afterwards.
 *
 * @module
 */
import { oracleTest, TempDirectory } from "../../../support/tools.ts";
import { closeAndAskQemu, Modelled } from "./modelled.ts";
import { ALL_RECIPES, makeOriginal, ORIGINAL_TOOLS } from "./originals.ts";
import { Random, randomOp } from "./random_ops.ts";

const ROUNDS = 3;
const OPS = 120;

for (const recipe of ALL_RECIPES) {
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
      await closeAndAskQemu(modelled, original, folder);
    }
  });
}
