// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess } from "@std/assert";
import { SpinPolicy } from "../../src/loop/spin.ts";

/** Sleeps of so many milliseconds, one after the other. */
function sleep(policy: SpinPolicy, ...durationsMs: number[]): void {
  let now = 1000;
  for (const durationMs of durationsMs) {
    policy.fallsAsleep(now);
    now += durationMs;
    policy.wokenUp(now);
  }
}

/** Spins for so many milliseconds, and to what end. */
function spin(
  policy: SpinPolicy,
  end: "gaveUp" | "succeeded",
  durationMs: number,
  now = 2000,
): void {
  policy.begins(now);
  policy[end](now + durationMs);
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
  for (; policy.turns > 0 && tries < 100; tries++) spin(policy, "gaveUp", 0.1);
  assertLess(tries, 10);
  assertEquals(policy.turns, 0);
});

Deno.test("SpinPolicy spins at full length again when it has paid", () => {
  const policy = new SpinPolicy(true);
  sleep(policy, 0.05, 0.05, 0.05, 0.05);
  const full = policy.turns;
  spin(policy, "gaveUp", 0.1);
  assertLess(policy.turns, full);
  spin(policy, "succeeded", 0.1);
  assertEquals(policy.turns, full);
});

Deno.test("SpinPolicy never spins where it may not", () => {
  const policy = new SpinPolicy(false);
  sleep(policy, ...Array<number>(20).fill(0.01));
  spin(policy, "succeeded", 0.1);
  assertEquals(policy.turns, 0);
});

for (const end of ["gaveUp", "succeeded"] as const) {
  Deno.test(`SpinPolicy sleeps for a while when the processor was taken from it: ${end}`, () => {
    const policy = new SpinPolicy(true);
    sleep(policy, 0.05, 0.05, 0.05, 0.05);
    assert(policy.turns > 0);
    spin(policy, end, 4, 1010);
    assertEquals(policy.turns, 0);
    sleep(policy, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05);
    assertEquals(policy.turns, 0, "too early");
    sleep(policy, 100, 0.05, 0.05, 0.05, 0.05);
    assert(policy.turns > 0, "tried again");
  });
}

Deno.test("SpinPolicy tries less and less often while others want the processor", () => {
  const policy = new SpinPolicy(true);
  let [now, spins] = [5000, 0];
  while (now < 15_000) {
    if (policy.turns > 0) {
      spin(policy, "gaveUp", 4, now);
      spins++;
      now += 4;
    }
    policy.fallsAsleep(now);
    policy.wokenUp(now += 0.05);
  }
  assertLess(spins, 25);
});
