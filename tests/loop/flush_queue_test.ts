// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import type { ImageFile } from "../../src/storage/image_file.ts";
import {
  type RoundOutcome,
  type Scope,
  syncOf,
  type SyncRound,
} from "../../src/disk/sync_round.ts";
import { flushAtEnd } from "../../src/loop/flush_at_end.ts";
import { FlushQueue } from "../../src/loop/flush_queue.ts";
import { SharedState } from "../../src/loop/shared_state.ts";
import { EIO, ENOSPC, SystemError } from "../../src/sys/errno.ts";
import type { HasFd, SlowTask } from "../../src/storage/slow_lane.ts";
import { openLibc } from "../../src/sys/libc.ts";

openLibc();

/** A lane whose syncs end when the test says so. */
class FakeLane {
  readonly syncs: { readonly file: HasFd; readonly task: SlowTask }[] = [];

  sync(file: HasFd, task: SlowTask): void {
    this.syncs.push({ file, task });
  }

  /** Ends the oldest sync under way. */
  end(errno = 0): void {
    this.syncs.shift()?.task.finished(errno);
  }
}

/** The queue of one thread, whose turns the test makes. */
class Fixture {
  readonly lane = new FakeLane();
  readonly failures: number[] = [];
  readonly results: string[] = [];
  readonly woken: number[] = [];
  readonly queue: FlushQueue;

  constructor(files: number | SyncRound, readonly shared = new SharedState(), thread = 0) {
    const { lane } = this;
    const onFailure = (errno: number): void => void this.failures.push(errno);
    const wake = (other: number): void => void this.woken.push(other);
    const round = typeof files === "number" ? syncOf(filesFor(files)) : files;
    this.queue = new FlushQueue(round, { lane, shared, thread, wake, onFailure });
  }

  add(name: string, scope?: Scope): void {
    this.queue.add({ finished: (errno) => this.results.push(`${name}:${errno}`) }, scope);
  }

  /** Ends the oldest sync of a file, and makes a turn. */
  end(errno = 0): void {
    this.lane.end(errno);
    this.queue.reap();
  }
}

function filesFor(count: number): ImageFile[] {
  return Array.from({ length: count }, (_, fd) => ({ fd, syncFailed: () => {} }) as ImageFile);
}

/** Rounds of three levels each, which are over when the file has lost something. */
class TablesRound implements SyncRound {
  readonly steps: string[] = [];
  readonly #file = { fd: 0, syncFailed: () => void (this.isOver = true) } as ImageFile;
  #level = 0;
  isOver = false;
  /** What a write of a level may do, besides. */
  onWrite: () => void = () => {};

  begin(scope: Scope): void {
    this.#level = scope === "everything" ? 0 : 2;
    this.steps.push(scope === "everything" ? "begin" : "begin with what is written");
  }

  next(): readonly ImageFile[] {
    if (this.#level === 3) return [];
    this.steps.push(`level ${this.#level++}`);
    this.onWrite();
    return [this.#file];
  }

  end(outcome: RoundOutcome): void {
    this.steps.push(outcome);
  }
}

Deno.test("FlushQueue.add() has all who come during a sync share the next one", () => {
  const it = new Fixture(1);
  it.add("a");
  for (const name of ["b", "c", "d"]) it.add(name);
  assertEquals(it.lane.syncs.length, 1);
  it.end();
  assertEquals(it.results, ["a:0"]);
  assertEquals(it.lane.syncs.length, 1);
  it.end();
  assertEquals(it.results, ["a:0", "b:0", "c:0", "d:0"]);
  assertEquals(it.lane.syncs.length, 0);
  assertFalse(it.queue.busy);
});

Deno.test("FlushQueue.add() waits for every file", () => {
  const it = new Fixture(3);
  it.add("a");
  assertEquals(it.lane.syncs.map(({ file }) => file.fd), [0, 1, 2]);
  it.end();
  it.end();
  assertEquals(it.results, []);
  it.end();
  assertEquals(it.results, ["a:0"]);
});

Deno.test("FlushQueue.add() never tells the task itself, not even if nothing is to be synced", () => {
  const it = new Fixture(0);
  it.add("a");
  it.add("b");
  assertEquals(it.results, []);
  assertFalse(it.queue.fallAsleep());
  it.queue.reap();
  assertEquals(it.results, ["a:0", "b:0"]);
  assert(it.queue.fallAsleep());
});

Deno.test("FlushQueue.add() fails for good after one file has failed", () => {
  const it = new Fixture(2);
  it.add("a");
  it.add("b");
  it.end(ENOSPC);
  it.end();
  assertEquals(it.results, [`a:${EIO}`]);
  it.end();
  it.end();
  assertEquals(it.results, [`a:${EIO}`, `b:${EIO}`]);
  assertEquals(it.failures, [ENOSPC]);
  it.add("c");
  it.end();
  it.end();
  assertEquals(it.results.at(-1), `c:${EIO}`);
});

Deno.test("FlushQueue.add() fails where another thread's flush has failed", () => {
  const it = new Fixture(1);
  new SharedState(it.shared.memory).setFlushFailed();
  it.add("a");
  it.end();
  assertEquals(it.results, [`a:${EIO}`]);
});

Deno.test("FlushQueue.add() may be called by a task that is told of its end", () => {
  const it = new Fixture(1);
  it.queue.add({ finished: () => it.add("after") });
  it.add("b");
  it.end();
  assertEquals(it.lane.syncs.length, 1);
  it.end();
  it.end();
  assertEquals(it.results, ["b:0", "after:0"]);
});

Deno.test("FlushQueue shares syncs with other threads, and waits for those it needs", () => {
  const one = new Fixture(1);
  const two = new Fixture(1, new SharedState(one.shared.memory), 1);
  one.add("a");
  two.add("b");
  two.queue.reap();
  assertEquals(two.lane.syncs.length, 0, "no two syncs at a time");
  one.add("c");
  assert(two.queue.fallAsleep());
  one.end();
  assertEquals(one.results, ["a:0"]);
  assertEquals(one.woken, [1]);
  assertEquals(one.lane.syncs.length, 1, "for c, and for b as well");
  two.queue.reap();
  assertEquals(two.results, []);
  one.end();
  assertFalse(two.queue.fallAsleep());
  two.queue.reap();
  assertEquals([...one.results, ...two.results], ["a:0", "c:0", "b:0"]);
  assertEquals(two.lane.syncs.length, 0);
});

Deno.test("FlushQueue tells a thread of the error that another one's sync was told of", () => {
  const one = new Fixture(1);
  const two = new Fixture(1, new SharedState(one.shared.memory), 1);
  one.add("a");
  two.add("b");
  one.end(EIO);
  two.queue.reap();
  two.end(0);
  assertEquals([...one.results, ...two.results], [`a:${EIO}`, `b:${EIO}`]);
});

Deno.test("FlushQueue counts syncs beyond 2^31", () => {
  const it = new Fixture(1);
  // SyncsBegun and SyncsEnded (shared_state.ts)
  new Int32Array(it.shared.memory).fill(2 ** 31 - 2, 3, 5);
  for (const name of ["a", "b", "c", "d"]) {
    it.add(name);
    assertEquals(it.results.length, 0);
    it.end();
    assertEquals(it.results.splice(0), [`${name}:0`]);
  }
});

Deno.test("flushAtEnd() syncs every file, and says whether anything was ever lost", () => {
  const synced: number[] = [];
  const sync = (failing: number) => ({ fd }: ImageFile): number => {
    synced.push(fd);
    return fd === failing ? EIO : 0;
  };
  const shared = new SharedState();
  assert(flushAtEnd(syncOf(filesFor(2)), shared, sync(-1)));
  assertFalse(flushAtEnd(syncOf(filesFor(2)), shared, sync(0)));
  assertFalse(flushAtEnd(syncOf(filesFor(2)), shared, sync(-1)));
  assertEquals(synced, [0, 1, 0, 1, 0, 1]);
});

Deno.test("FlushQueue makes no round any more after one in which something was lost", () => {
  const round = new TablesRound();
  const it = new Fixture(round);
  it.add("a");
  it.add("b");
  it.end();
  it.end(EIO);
  assertEquals(round.steps, ["begin", "level 0", "level 1", "lost"]);
  it.queue.reap();
  assertEquals(it.results, [`a:${EIO}`, `b:${EIO}`]);
  it.add("c");
  assertFalse(it.queue.fallAsleep());
  it.queue.reap();
  assertEquals(it.results.at(-1), `c:${EIO}`);
  assertEquals([round.steps.length, it.lane.syncs.length], [4, 0]);
  assertFalse(flushAtEnd(round, it.shared));
  assertEquals(round.steps.length, 4);
});

Deno.test("FlushQueue ends a round at once if something was lost outside of it", () => {
  const round = new TablesRound();
  const it = new Fixture(round);
  it.add("a");
  round.isOver = true;
  it.end();
  assertEquals(round.steps, ["begin", "level 0", "lost"]);
  assertEquals([it.results, it.failures, it.shared.flushFailed], [[`a:${EIO}`], [EIO], true]);
});

Deno.test("FlushQueue takes a write that tells of an earlier one for a loss, others not", () => {
  for (const tellsOfEarlierOne of [false, true]) {
    const round = new TablesRound();
    const it = new Fixture(round);
    it.add("a");
    round.onWrite = () => {
      round.isOver = tellsOfEarlierOne;
      throw new SystemError("write", ENOSPC, "image");
    };
    it.end();
    assertEquals(it.results, [`a:${tellsOfEarlierOne ? EIO : ENOSPC}`]);
    assertEquals(round.steps.at(-1), tellsOfEarlierOne ? "lost" : "unwritten");
    round.onWrite = () => {};
    it.add("b");
    for (let n = 0; n < 3; n++) it.end();
    assertEquals(it.results.at(-1), `b:${tellsOfEarlierOne ? EIO : 0}`);
  }
});

Deno.test("flushAtEnd() takes a write that tells of an earlier one for a loss", () => {
  const round = new TablesRound();
  round.onWrite = () => {
    round.isOver = true;
    throw new SystemError("write", ENOSPC, "image");
  };
  const shared = new SharedState();
  assertFalse(flushAtEnd(round, shared, () => 0));
  assertEquals([round.steps.at(-1), shared.flushFailed], ["lost", true]);
});

Deno.test("FlushQueue tells a flush that it has failed though another one has begun", () => {
  const round = new TablesRound();
  const it = new Fixture(round);
  round.onWrite = () => {
    throw new SystemError("write", ENOSPC, "image");
  };
  it.add("a");
  round.onWrite = () => {};
  it.add("b");
  for (let n = 0; n < 3; n++) it.end();
  assertEquals(it.results, [`a:${ENOSPC}`, "b:0"]);
});

Deno.test("FlushQueue.add() has one sync be enough, unless somebody waits for everything", () => {
  const round = new TablesRound();
  const { lane, queue, results } = new Fixture(round);
  const add = (name: string, scope: Scope): void =>
    queue.add({ finished: (errno) => results.push(`${name}:${errno}`) }, scope);
  add("a", "what is written");
  assertEquals(round.steps.splice(0), ["begin with what is written", "level 2"]);
  add("b", "what is written");
  add("c", "everything");
  add("d", "what is written");
  lane.end();
  queue.reap();
  assertEquals(results.splice(0), ["a:0"]);
  for (let level = 0; level < 3; level++) lane.end();
  queue.reap();
  const all = ["begin", "level 0", "level 1", "level 2"];
  assertEquals(round.steps, ["durable", ...all, "durable"]);
  assertEquals(results, ["b:0", "c:0", "d:0"]);
});
