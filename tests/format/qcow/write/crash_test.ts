/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { CrashRun, type RunOptions, type Sabotage, SABOTAGES } from "./crash_run.ts";
import { beforeRun, judge, type Verdict } from "./crash_judge.ts";
import {
  ALL_RECIPES,
  makeOriginal,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
  recipeOf,
} from "./originals.ts";

/** So many states are judged in all, at least. */
const ALL_STATES = 20_000;
/** They are of so many runs, about. */
const RUNS = 10;
/** So many can be judged for each step that is made, about. */
const STATES_A_STEP = 4;
const OPS = 60;
/** What a block device has behind the image. */
const DEVICE_ROOM_BYTES = 2 * 1024 * 1024;
/** Whatever may have to wait, be cut, or grow. */
const ON_DEVICES = [
  "half full",
  "compressed",
  "snapshot, 512 B, compressed",
  "extended L2, backed",
  "LUKS",
  "counts of 64 bits, their table nearly full",
];

/** How many states each kind of run is tried in, at least: those on devices are of two kinds. */
const STATES = Number(
  Deno.env.get("TSLOSETUP_CRASH_STATES") ??
    Math.ceil(ALL_STATES / (ALL_RECIPES.length + 2 * ON_DEVICES.length)),
);
/** Where everything is memory. */
const FOLDER = memoryFolder();

/** What is special about a run. */
type Special = Pick<RunOptions, "sabotage" | "request" | "limits" | "keepSize">;

async function crash(
  recipe: OriginalRecipe,
  states: number,
  special: Special = {},
): Promise<Verdict> {
  using folder = new TempDirectory(FOLDER);
  const original = await makeOriginal(folder.path, recipe);
  if (special.keepSize) pad(original.path);
  const before = beforeRun(original);
  const untilFault = special.sabotage !== undefined;
  const how = { qemuEvery: 100, reopenEvery: 20, seen: new Set<string>(), untilFault };
  const all = { states: 0, faults: [] as string[], forgetful: 0, kills: 0 };
  for (let seed = 1; all.states < states; seed++) {
    const run = new CrashRun(original, { seed, ops: OPS, keys: original.keys, ...special });
    run.run(OPS, seed % 2 === 0 ? "closed" : "killed");
    const share = Math.min(1, states / RUNS / (run.recording.steps.length * STATES_A_STEP));
    const verdict = await judge(original, before, run, { ...how, share });
    all.states += verdict.states;
    all.forgetful += verdict.forgetful;
    all.kills += verdict.kills;
    all.faults.push(...verdict.faults.map((fault) => `seed ${seed}, ${fault}`));
    if (untilFault && all.faults.length > 0) break;
  }
  return all;
}

/** In how many states of how many kinds of runs nothing was wrong. */
const judged = { states: 0, kinds: 0 };

async function survive(recipe: OriginalRecipe, special: Special = {}): Promise<void> {
  const { faults, states } = await crash(recipe, STATES, special);
  assertEquals(faults.slice(0, 5), []);
  judged.states += states;
  judged.kinds++;
}

for (const recipe of ALL_RECIPES) {
  oracleTest(`qcow survives crashes: ${recipe.name}`, ORIGINAL_TOOLS, () => survive(recipe));
}

/** As a block device that had something else on it before. */
function pad(path: string): void {
  const image = Deno.readFileSync(path);
  const bytes = new Uint8Array(Math.ceil(image.length / 65536) * 65536 + DEVICE_ROOM_BYTES);
  bytes.fill(0xee).set(image);
  Deno.writeFileSync(path, bytes);
}

for (const recipe of ALL_RECIPES.filter(({ name }) => ON_DEVICES.includes(name))) {
  oracleTest(
    `qcow on a block device survives crashes: ${recipe.name}`,
    ORIGINAL_TOOLS,
    () => survive(recipe, { keepSize: true }),
  );
  oracleTest(
    `qcow survives crashes with hardly any room for tables: ${recipe.name}`,
    ORIGINAL_TOOLS,
    () =>
      survive(recipe, {
        limits: { mostBytes: 200 * 1024 },
        request: { metadataCacheBytes: 4096 },
      }),
  );
}

oracleTest("as many states after crashes are judged as are wanted", ORIGINAL_TOOLS, async (t) => {
  const { states, kinds } = judged;
  await t.step(`${states} states, no two the same, of ${kinds} kinds of runs`, () => {
    assertGreater(states + 1, kinds * STATES);
  });
});

/** Version 1 has no counts, and frees nothing. */
const VERSION1_SABOTAGES: readonly Sabotage[] = [
  "levels are not synced apart",
  "levels go backwards",
  "the last level is not synced",
  "only data are synced",
];
const SABOTAGED = [
  ...SABOTAGES.map((sabotage) => ({ name: "compressed", sabotage })),
  ...VERSION1_SABOTAGES.map((sabotage) => ({ name: "version 1, compressed", sabotage })),
];

for (const { name, sabotage } of SABOTAGED) {
  oracleTest(`the test for crashes finds out if ${sabotage}: ${name}`, ORIGINAL_TOOLS, async () => {
    const recipe = recipeOf(name);
    const { faults } = await crash(recipe, 1000, { sabotage });
    assertGreater(faults.length, 0);
  });
}
