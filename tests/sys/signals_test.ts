// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openLibc } from "../../src/sys/libc.ts";
import {
  completionSignal,
  daemonSignals,
  MAX_SIGNAL_THREADS,
  SIGHUP,
  SIGINT,
  SignalReader,
  signalSet,
  SIGTERM,
} from "../../src/sys/signals.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("signalSet() has one bit for each signal", () => {
  const set = signalSet([1, 15, 64]);
  assertEquals(set.length, 128);
  const view = new DataView(set.buffer);
  assertEquals(view.getBigUint64(0, true), (1n << 0n) | (1n << 14n) | (1n << 63n));
  assert(set.subarray(8).every((byte) => byte === 0));
});

Deno.test("daemonSignals() has the signals that end programs and those of the slow lanes", () => {
  const signals = daemonSignals();
  for (const signal of [SIGHUP, SIGINT, SIGTERM]) assert(signals.includes(signal));
  for (let thread = 0; thread < MAX_SIGNAL_THREADS; thread++) {
    assert(signals.includes(completionSignal(thread)));
  }
  assert(!signals.includes(9));
});

Deno.test("completionSignal() gives each thread its own, and none to more threads", () => {
  const all = Array.from({ length: MAX_SIGNAL_THREADS }, (_, thread) => completionSignal(thread));
  assertEquals(new Set(all).size, MAX_SIGNAL_THREADS);
  assert(Math.max(...all) <= 64);
  assertThrows(() => completionSignal(MAX_SIGNAL_THREADS), RangeError);
  assertThrows(() => completionSignal(-1), RangeError);
});

Deno.test("SignalReader.next() does not wait", () => {
  using reader = new SignalReader([SIGTERM]);
  assertEquals(reader.next(), 0);
});
