// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { oracleTest } from "../support/tools.ts";
import { campaign, type Outcome } from "./campaign.ts";

/** Of each feature; ten thousand and more of all together. */
const ATTEMPTS = 700;
const SEED = 20_190_101;

oracleTest("hostile images of every feature do no harm", IMAGE_TOOLS, async () => {
  const outcomes: Outcome[] = [];
  await campaign(
    { count: ATTEMPTS, seed: SEED, features: [] },
    (outcome) => outcomes.push(outcome),
  );
  const faults = outcomes.filter(({ fault }) => fault !== undefined);
  assertEquals(faults.map(({ feature, fault }) => `${feature}: ${fault}`), []);
});
