// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess } from "@std/assert";
import { SpinPolicy } from "../../src/serve/spin.ts";

/** Sleeps of so many milliseconds, one after the other. */
function sleep(policy: SpinPolicy, ...durationsMs: number[]): void {
  let now = 1000;
  for (const durationMs of durationsMs) {
    policy.fallsAsleep(now);
    now += durationMs;
    policy.wokenUp(now);
  }
}

Deno.test("SpinPolicy does not spin before there is traffic", () => {
  assertEquals(new SpinPolicy(true).turns, 0);
});

Deno.test("SpinPolicy begins to spin after some short sleeps in a row", () => {
  const policy = new SpinPolicy(true);
  sleep(policy, 0.05, 0.05, 0.05);
  assertEquals(policy.turns, 0);
  sleep(policy, 10, 0.05, 0.05, 0.05);
  assertEquals(policy.turns, 0);
  sleep(policy, 0.05);
  assert(policy.turns > 0);
});

Deno.test("SpinPolicy stops spinning when it is in vain", () => {
  const policy = new SpinPolicy(true);
  sleep(policy, 0.05, 0.05, 0.05, 0.05);
  let tries = 0;
  for (; policy.turns > 0 && tries < 100; tries++) policy.gaveUp();
  assertLess(tries, 10);
  assertEquals(policy.turns, 0);
});

Deno.test("SpinPolicy spins at full length again when it has paid", () => {
  const policy = new SpinPolicy(true);
  sleep(policy, 0.05, 0.05, 0.05, 0.05);
  const full = policy.turns;
  policy.gaveUp();
  assertLess(policy.turns, full);
  policy.succeeded();
  assertEquals(policy.turns, full);
});

Deno.test("SpinPolicy never spins where it may not", () => {
  const policy = new SpinPolicy(false);
  sleep(policy, ...Array<number>(20).fill(0.01));
  policy.succeeded();
  assertEquals(policy.turns, 0);
});
