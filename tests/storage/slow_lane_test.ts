// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { O_RDONLY, O_RDWR, openFile } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { SLOW_READ_MAX_BYTES, type SlowCalls, SlowLane } from "../../src/storage/slow_lane.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { turnUntil } from "../support/patience.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const EBADF = 9;
const EINVAL = 22;

/** Polls until nothing is under way. */
function finish(lane: SlowLane): void {
  turnUntil(() => {
    lane.reap();
    return !lane.busy;
  }, "the lane to end");
}

/** Counts how tasks have ended. */
class Results {
  readonly errors: number[] = [];
  readonly task = { finished: (errno: number): void => void this.errors.push(errno) };
}

function tempFile(folder: TempDirectory, name = "file"): string {
  const path = folder.file(name);
  Deno.writeFileSync(path, new Uint8Array(1024 * 1024));
  return path;
}

Deno.test("SlowLane tells its tasks when reads and syncs are done", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDWR);
  using lane = new SlowLane(0);
  const results = new Results();
  assertFalse(lane.busy);
  lane.read({ fd: file.number }, 4096, 8192, results.task);
  lane.sync({ fd: file.number }, results.task);
  assert(lane.busy);
  finish(lane);
  assertEquals(results.errors, [0, 0]);
});

Deno.test("SlowLane takes more tasks than can be under way", () => {
  using folder = new TempDirectory();
  using one = openFile(tempFile(folder, "one"), O_RDWR);
  using two = openFile(tempFile(folder, "two"), O_RDONLY);
  using lane = new SlowLane(0);
  const results = new Results();
  const files = [{ fd: one.number }, { fd: two.number }] as const;
  const before = openDescriptors();
  for (let n = 0; n < 500; n++) {
    lane.read(files[n % 2 as 0 | 1], n * 512, 512, results.task);
    if (n % 10 === 0) lane.sync(files[0], results.task);
  }
  assert(openDescriptors() - before <= 16);
  finish(lane);
  assertEquals(results.errors, Array(550).fill(0));
});

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("SlowLane reads no more than its limit at once, and past the end of a file", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDONLY);
  using lane = new SlowLane(0);
  const results = new Results();
  lane.read({ fd: file.number }, 0, 2 * SLOW_READ_MAX_BYTES, results.task);
  lane.read({ fd: file.number }, 2 ** 40, 4096, results.task);
  finish(lane);
  assertEquals(results.errors, [0, 0]);
});

Deno.test("SlowLane tells a task what went wrong", () => {
  using lane = new SlowLane(0);
  const results = new Results();
  const [end, start] = pipe();
  lane.sync({ fd: end.number }, results.task);
  finish(lane);
  assertEquals(results.errors, [EINVAL]);
  end.close();
  start.close();
});

Deno.test("SlowLane fails calls on a closed descriptor, and goes on", () => {
  using folder = new TempDirectory();
  using good = openFile(tempFile(folder), O_RDWR);
  const closed = openFile(tempFile(folder), O_RDWR);
  const fd = closed.number;
  closed.close();
  using lane = new SlowLane(0);
  const results = new Results();
  // Every slot has served the good file before, so that each has a descriptor to give up.
  const goodFile = { fd: good.number };
  for (let n = 0; n < 20; n++) lane.read(goodFile, 0, 512, results.task);
  finish(lane);
  results.errors.length = 0;
  for (let n = 0; n < 20; n++) lane.read({ fd }, 0, 512, results.task);
  lane.sync({ fd }, results.task);
  finish(lane);
  assertEquals(results.errors, Array(21).fill(EBADF));
  results.errors.length = 0;
  lane.sync(goodFile, results.task);
  finish(lane);
  assertEquals(results.errors, [0]);
});

Deno.test("SlowLane lets a task ask for more when it is told of its end", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDONLY);
  using lane = new SlowLane(0);
  let left = 100;
  const task = {
    finished: (): void => {
      if (--left > 0) lane.read({ fd: file.number }, 0, 512, task);
    },
  };
  lane.read({ fd: file.number }, 0, 512, task);
  finish(lane);
  assertEquals(left, 0);
});

Deno.test("SlowLane gives its descriptors back", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDONLY);
  const before = openDescriptors();
  {
    using lane = new SlowLane(0);
    const results = new Results();
    for (let n = 0; n < 40; n++) lane.read({ fd: file.number }, 0, 512, results.task);
    finish(lane);
  }
  assertEquals(openDescriptors(), before);
});

/** The C library, which starts nothing while `mayStart` says no; what it was asked for is counted. */
class Unwilling {
  starts = 0;
  here = 0;
  readonly calls: SlowCalls;

  constructor(mayStart: (attempt: number) => boolean) {
    const real = libc();
    const starting = (start: () => number): number => mayStart(++this.starts) ? start() : -1;
    const { aio_init, aio_return, fcntl, close } = real;
    this.calls = {
      aio_init,
      aio_return,
      fcntl,
      close,
      aio_write: (control) => starting(() => real.aio_write(control)),
      aio_read: (control) => starting(() => real.aio_read(control)),
      aio_fsync: (how, control) => starting(() => real.aio_fsync(how, control)),
      pread: (...args) => {
        this.here++;
        return real.pread(...args);
      },
      // At most three bytes at a time: what is cut short goes on.
      pwrite: (fd, from, count, offset) => {
        this.here++;
        return real.pwrite(fd, from, Math.min(count, 3), offset);
      },
      fdatasync: (fd) => {
        this.here++;
        return real.fdatasync(fd);
      },
    };
  }
}

Deno.test("SlowLane makes itself, one in a turn, what cannot be started, and tells nobody before", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDWR);
  const unwilling = new Unwilling(() => false);
  using lane = new SlowLane(0, unwilling.calls);
  const results = new Results();
  lane.sync({ fd: file.number }, results.task);
  lane.read({ fd: file.number }, 0, 4096, results.task);
  lane.read({ fd: -1 }, 0, 4096, results.task);
  const { bytes, address } = new IoBuffer(5);
  bytes.set([5, 4, 3, 2, 1]);
  lane.write({ file: { fd: file.number }, hostOffset: 1, address, lengthBytes: 5 }, results.task);
  assertEquals(results.errors, []);
  for (const told of [[0], [0, 0], [0, 0, EBADF], [0, 0, EBADF], [0, 0, EBADF, 0]]) {
    assert(lane.busy);
    assert(lane.needsReaping, "no signal would tell");
    lane.reap();
    assertEquals(results.errors, told);
  }
  assertFalse(lane.busy || lane.needsReaping);
  assertEquals(unwilling.here, 5);
  assertEquals([...Deno.readFileSync(folder.file("file")).subarray(0, 7)], [0, 5, 4, 3, 2, 1, 0]);
});

Deno.test("SlowLane starts when others have ended what could not be started", () => {
  using folder = new TempDirectory();
  using file = openFile(tempFile(folder), O_RDWR);
  const unwilling = new Unwilling((attempt) => attempt === 1 || attempt > 4);
  using lane = new SlowLane(0, unwilling.calls);
  const results = new Results();
  for (let n = 0; n < 5; n++) lane.sync({ fd: file.number }, results.task);
  assertFalse(lane.needsReaping, "the first one ends by itself");
  finish(lane);
  assertEquals(results.errors, Array(5).fill(0));
  assert(unwilling.starts > 5);
});
