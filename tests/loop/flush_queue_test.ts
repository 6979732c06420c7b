// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { FlushQueue } from "../../src/loop/flush_queue.ts";
import { SharedState } from "../../src/loop/shared_state.ts";
import { EIO, ENOSPC } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { type HasFd, SlowLane, type SlowTask } from "../../src/storage/slow_lane.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** A lane whose syncs end when the test says so. */
class FakeLane extends SlowLane {
  readonly syncs: { readonly file: HasFd; readonly task: SlowTask }[] = [];

  constructor() {
    super(0);
  }

  override sync(file: HasFd, task: SlowTask): void {
    this.syncs.push({ file, task });
  }

  /** Ends the oldest sync under way. */
  end(errno = 0): void {
    this.syncs.shift()?.task.finished(errno);
  }
}

class Fixture {
  readonly lane = new FakeLane();
  readonly shared = new SharedState();
  readonly failures: number[] = [];
  readonly results: string[] = [];
  readonly queue: FlushQueue;

  constructor(files: number) {
    const all = Array.from({ length: files }, (_, fd) => ({ fd }) as ImageFile);
    const { lane, shared } = this;
    const onFailure = (errno: number): void => void this.failures.push(errno);
    this.queue = new FlushQueue(all, { lane, shared, onFailure });
  }

  add(name: string): void {
    this.queue.add({ finished: (errno) => this.results.push(`${name}:${errno}`) });
  }
}

Deno.test("FlushQueue.add() has all who come during a sync share the next one", () => {
  const it = new Fixture(1);
  it.add("a");
  for (const name of ["b", "c", "d"]) it.add(name);
  assertEquals(it.lane.syncs.length, 1);
  it.lane.end();
  assertEquals(it.results, ["a:0"]);
  assertEquals(it.lane.syncs.length, 1);
  it.lane.end();
  assertEquals(it.results, ["a:0", "b:0", "c:0", "d:0"]);
  assertEquals(it.lane.syncs.length, 0);
});

Deno.test("FlushQueue.add() waits for every file", () => {
  const it = new Fixture(3);
  it.add("a");
  assertEquals(it.lane.syncs.map(({ file }) => file.fd), [0, 1, 2]);
  it.lane.end();
  it.lane.end();
  assertEquals(it.results, []);
  it.lane.end();
  assertEquals(it.results, ["a:0"]);
});

Deno.test("FlushQueue.add() answers at once where nothing is to be synced", () => {
  const it = new Fixture(0);
  it.add("a");
  it.add("b");
  assertEquals(it.results, ["a:0", "b:0"]);
});

Deno.test("FlushQueue.add() fails for good after one file has failed", () => {
  const it = new Fixture(2);
  it.add("a");
  it.add("b");
  it.lane.end(ENOSPC);
  it.lane.end();
  assertEquals(it.results, [`a:${ENOSPC}`]);
  it.lane.end();
  it.lane.end();
  assertEquals(it.results, [`a:${ENOSPC}`, `b:${EIO}`]);
  assertEquals(it.failures, [ENOSPC]);
  it.add("c");
  it.lane.end();
  it.lane.end();
  assertEquals(it.results.at(-1), `c:${EIO}`);
});

Deno.test("FlushQueue.add() fails where another thread's flush has failed", () => {
  const it = new Fixture(1);
  new SharedState(it.shared.memory).setFlushFailed();
  it.add("a");
  it.lane.end();
  assertEquals(it.results, [`a:${EIO}`]);
});

Deno.test("FlushQueue.add() may be called by a task that is told of its end", () => {
  const it = new Fixture(1);
  it.queue.add({ finished: () => it.add("after") });
  it.add("b");
  it.lane.end();
  assertEquals(it.lane.syncs.length, 1);
  it.lane.end();
  it.lane.end();
  assertEquals(it.results, ["b:0", "after:0"]);
});
