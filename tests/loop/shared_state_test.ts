// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { SharedState } from "../../src/loop/shared_state.ts";
import { MAX_THREADS } from "../../src/loop/threads.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("SharedState counts the connections of each thread, seen by all", () => {
  const state = new SharedState();
  const other = new SharedState(state.memory);
  for (let thread = 0; thread < MAX_THREADS; thread++) {
    for (let n = 0; n <= thread; n++) state.addConnection(thread);
  }
  other.removeConnection(3);
  const counts = Array.from({ length: MAX_THREADS }, (_, thread) => other.connectionsOf(thread));
  assertEquals(counts, [1, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  assertEquals(state.connectionsOf(3), 3);
  assertFalse(state.flushFailed);
});

Deno.test("SharedState.setFlushFailed() is for good, and seen by all", () => {
  const state = new SharedState();
  const other = new SharedState(state.memory);
  assertFalse(other.flushFailed);
  state.setFlushFailed();
  assert(other.flushFailed);
  assertEquals(other.connectionsOf(0), 0);
});

Deno.test("SharedState.startSpinning() lets one thread spin at a time", () => {
  const state = new SharedState();
  const other = new SharedState(state.memory);
  assert(state.startSpinning(0));
  assert(state.startSpinning(0), "the same one goes on");
  assertFalse(other.startSpinning(1));
  other.stopSpinning(1);
  assertFalse(other.startSpinning(1), "only the spinner itself stops");
  state.stopSpinning(0);
  assert(other.startSpinning(1));
  assertFalse(state.startSpinning(0));
});

Deno.test("SharedState tells the next daemon that a flush has failed, whichever thread says so", () => {
  const lost = new IoBuffer(4);
  const state = new SharedState(undefined, lost.address);
  assertEquals(lost.view.getInt32(0, true), 0);
  new SharedState(state.memory, state.lostAddress).setFlushFailed();
  assertEquals([lost.view.getInt32(0, true), state.flushFailed], [1, true]);
});
