// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { ParkedRequest, type RequestOwner } from "../../src/loop/parked_request.ts";
import { SlowLane } from "../../src/storage/slow_lane.ts";
import { Command } from "../../src/nbd/protocol.ts";
import { ENOSPC } from "../../src/sys/errno.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { failedWith } from "../support/faulty_calls.ts";
import { ServedImage } from "../nbd/served_image.ts";

openLibc();

// Nothing has to be made durable on a read-only disk: who waits for a flush is ready in the next turn.

function parkedBy({ resume }: Pick<RequestOwner, "resume">): ParkedRequest {
  const owner = { resume, isGone: false, park: (): ParkedRequest => parkedBy({ resume }) };
  return new ParkedRequest({
    owner,
    command: 0,
    tagHigh: 0,
    tagLow: 0,
    offset: 0,
    length: 0,
  });
}

Deno.test("Executor.resumeReady() has done something also if that made another request ready", () => {
  using served = new ServedImage({ readOnly: true });
  const { executor } = served;
  const resumed: string[] = [];
  const second = parkedBy({ resume: () => resumed.push("second") > 0 });
  const first = parkedBy({
    resume: () => {
      executor.flush(second);
      return resumed.push("first") > 0;
    },
  });
  executor.flush(first);
  executor.reap();
  assertEquals(executor.resumeReady(), true);
  assertEquals(resumed, ["first"]);
  executor.reap();
  assertEquals(executor.resumeReady(), true);
  assertEquals(resumed, ["first", "second"]);
  assertEquals(executor.resumeReady(), false);
});

Deno.test("Executor.resumeReady() has done nothing while there is no room for the reply", () => {
  using served = new ServedImage({ readOnly: true });
  const { executor } = served;
  let hasRoom = false;
  const parked = parkedBy({ resume: () => hasRoom });
  executor.flush(parked);
  executor.reap();
  assertEquals(executor.resumeReady(), false);
  assert(executor.fallAsleep(), "only the client can make room");
  hasRoom = true;
  assertEquals(executor.resumeReady(), true);
});

Deno.test("Executor.fallAsleep() says no while something is to be done that nobody would tell", () => {
  const fail = (): number => -1;
  const calls = { ...libc(), aio_read: fail, aio_write: fail, aio_fsync: fail };
  using served = new ServedImage({ lane: new SlowLane(0, calls) });
  const { executor } = served;
  let resumed = 0;
  const parked = parkedBy({ resume: () => ++resumed > 0 });
  assert(executor.fallAsleep());
  executor.flush(parked);
  assertFalse(executor.resumeReady(), "nothing is made ready by the call itself");
  assertFalse(executor.fallAsleep(), "the sync could not be started");
  executor.reap();
  assertFalse(executor.fallAsleep(), "a request is ready");
  assert(executor.resumeReady());
  assert(executor.fallAsleep());
  assertEquals([resumed, parked.error], [1, 0]);
});

Deno.test("Executor.fallAsleep() says no while a change can go on", () => {
  using served = new ServedImage();
  const { executor, image } = served;
  const { writing } = image;
  if (writing === undefined) throw new Error("not to be written to");
  const place = writing.place.bind(writing);
  let finished = (_errno: number): void => {};
  writing.place = (_offset, _length, placement) => {
    placement.attempt.awaited = { addWaiter: (task) => finished = (errno) => task.finished(errno) };
    placement.setBlocked();
  };
  const { client } = served.connect();
  client.ask({ command: Command.Write, cookie: 1n, offset: 0, payload: new Uint8Array(512) });
  served.turn();
  assert(executor.fallAsleep(), "it waits for somebody's work, who will tell");
  writing.place = place;
  finished(0);
  assertFalse(executor.fallAsleep(), "nobody else would wake the thread");
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assert(executor.fallAsleep());
});

Deno.test("Executor.change() counts data as lost where a write may be told of an earlier one", () => {
  for (const [isNfs, isLost] of [[false, false], [true, true]] as const) {
    const calls = { ...libc(), pwrite: () => failedWith(ENOSPC) };
    using served = new ServedImage({ calls });
    Object.defineProperty(served.image.file, "tellsWritesOfEarlierOnes", { value: isNfs });
    const { client } = served.connect();
    client.ask({ command: Command.Write, cookie: 1n, offset: 0, payload: new Uint8Array(512) });
    served.settle();
    assertEquals(served.shared.flushFailed, isLost);
  }
});

Deno.test("Executor.finishFlushes() leaves no flush that would take somebody else's sync for its own", () => {
  using served = new ServedImage();
  const { executor, shared } = served;
  const flushes = [1, 2, 3].map(() => parkedBy({ resume: () => true }));
  // The others wait for the sync after the first one's.
  for (const parked of flushes) executor.flush(parked);
  assert(shared.isSyncing);
  executor.finishFlushes();
  assertFalse(shared.isSyncing);
  assertFalse(executor.busy);
  assertEquals(shared.nextSync, 3);
  assert(executor.resumeReady());
});
