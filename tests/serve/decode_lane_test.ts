// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { deflateRawSync, deflateSync, zstdCompressSync } from "node:zlib";
import { CompressionMethod, type DecodeJob } from "../../src/image/decoding.ts";
import { ThreadedDecodeLane } from "../../src/serve/decode_lane.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { eventually } from "../support/patience.ts";
import { randomNumbers } from "../support/images.ts";
import { adcOf } from "../support/packers.ts";

openLibc();

const CLUSTER = 65536;
const numbers = randomNumbers(11);

function random(below: number): number {
  return Math.floor(numbers() * below);
}

function content(): Uint8Array {
  const letter = random(200);
  return Uint8Array.from({ length: CLUSTER }, () => letter + random(5));
}

/** A job, wished for until some thread is there to take it. */
async function claimed(lane: ThreadedDecodeLane, storedBytes: number): Promise<DecodeJob> {
  let job: DecodeJob | undefined;
  const isClaimed = (): boolean => {
    for (let wishes = random(100); job === undefined && wishes >= 0; wishes--) {
      job = lane.claim(storedBytes, CLUSTER);
      lane.reap();
    }
    return job !== undefined;
  };
  await eventually(isClaimed, "a thread to turn up");
  assert(job !== undefined);
  return job;
}

/** Waits until all jobs are done, and their ends told. */
async function finished(lane: ThreadedDecodeLane): Promise<void> {
  await eventually(() => {
    lane.reap();
    return !lane.busy;
  }, "the jobs to be done");
}

interface Outcome {
  readonly succeeded: boolean;
  readonly bytes: Uint8Array;
}

/** Hands `stored` over, and waits for what comes of it. */
async function decoded(
  lane: ThreadedDecodeLane,
  stored: Uint8Array,
  method: CompressionMethod,
  leastBytes = CLUSTER,
): Promise<Outcome> {
  const job = await claimed(lane, stored.length);
  job.input.bytes.set(stored);
  let outcome: Outcome | undefined;
  let told = false;
  const onDone = (succeeded: boolean): void => {
    outcome = { succeeded, bytes: job.output.bytes.slice(0, CLUSTER) };
  };
  assert(
    job.start({
      method,
      storedBytes: stored.length,
      decodedBytes: CLUSTER,
      leastBytes,
      onDone,
    }),
  );
  job.addWaiter({ finished: (errno) => told = errno === 0 });
  await finished(lane);
  assert(told && outcome !== undefined);
  return outcome;
}

Deno.test("ThreadedDecodeLane decompresses in another thread, and goes on after damage", async () => {
  using lane = new ThreadedDecodeLane(1);
  for (let round = 0; round < 10; round++) {
    const bytes = content();
    const deflated = deflateRawSync(bytes);
    const { Deflate, Zstd } = CompressionMethod;
    assertEquals(await decoded(lane, deflated, Deflate), { succeeded: true, bytes });
    assertEquals(await decoded(lane, zstdCompressSync(bytes), Zstd), { succeeded: true, bytes });
    assertEquals((await decoded(lane, deflated.subarray(0, 99), Deflate)).succeeded, false);
    assertEquals((await decoded(lane, deflated, Zstd)).succeeded, false);
  }
  assert(!lane.busy);
});

Deno.test("ThreadedDecodeLane fills up what is short where it may be, by any method", async () => {
  using lane = new ThreadedDecodeLane(1);
  const bytes = content();
  const short = bytes.slice(0, 5000);
  const { Zlib, Adc } = CompressionMethod;
  for (const [method, pack] of [[Zlib, deflateSync], [Adc, adcOf]] as const) {
    assertEquals(await decoded(lane, pack(bytes), method), { succeeded: true, bytes });
    const wanted = Uint8Array.from({ length: CLUSTER }, (_, at) => short[at] ?? 0);
    const outcome = await decoded(lane, pack(short), method, 5000);
    assertEquals(outcome, { succeeded: true, bytes: wanted });
    assertEquals((await decoded(lane, pack(short), method, 5001)).succeeded, false);
  }
});

Deno.test("ThreadedDecodeLane takes no more at a time than its threads can begin with", async () => {
  using lane = new ThreadedDecodeLane(1);
  const bytes = content();
  const stored = deflateRawSync(bytes);
  let done = 0;
  const task = {
    method: CompressionMethod.Deflate,
    storedBytes: stored.length,
    decodedBytes: CLUSTER,
    leastBytes: CLUSTER,
    onDone: (succeeded: boolean): void => {
      assert(succeeded);
      done++;
    },
  };
  let most = 0;
  for (let started = 0; started < 100;) {
    const job = await claimed(lane, stored.length);
    job.input.bytes.set(stored);
    if (job.start(task)) started++;
    most = Math.max(most, started - done);
  }
  await finished(lane);
  assertEquals([done, most], [100, 2]);
});

Deno.test("ThreadedDecodeLane tells a waiter soon of a job that has been done meanwhile", async () => {
  using lane = new ThreadedDecodeLane(1);
  const stored = deflateRawSync(content());
  const job = await claimed(lane, stored.length);
  job.input.bytes.set(stored);
  const { Deflate: method } = CompressionMethod;
  const task = {
    method,
    storedBytes: stored.length,
    decodedBytes: CLUSTER,
    leastBytes: CLUSTER,
    onDone: () => {},
  };
  assert(job.start(task));
  await finished(lane);
  let told = 0;
  job.addWaiter({ finished: () => told++ });
  assertEquals(told, 0, "never from within the call");
  assert(lane.busy);
  assert(!lane.fallAsleep(), "nothing would wake the thread");
  lane.reap();
  assertEquals(told, 1);
  assert(!lane.busy);
});

Deno.test("ThreadedDecodeLane says that a job has failed whose thread cannot do it", async () => {
  using lane = new ThreadedDecodeLane(1);
  const noMethod = 99 as CompressionMethod;
  assertEquals((await decoded(lane, new Uint8Array(9), noMethod)).succeeded, false);
  const bytes = content();
  const { Deflate } = CompressionMethod;
  assertEquals(await decoded(lane, deflateRawSync(bytes), Deflate), { succeeded: true, bytes });
});

Deno.test("ThreadedDecodeLane starts threads anew when the last one has lost its patience", async () => {
  using lane = new ThreadedDecodeLane(1, 10);
  const { Deflate } = CompressionMethod;
  for (let round = 0; round < 3; round++) {
    const bytes = content();
    assertEquals(await decoded(lane, deflateRawSync(bytes), Deflate), { succeeded: true, bytes });
    await eventually(() => {
      const job = lane.claim(1, 1);
      job?.release();
      return job === undefined;
    }, "the thread to end");
  }
});

Deno.test("ThreadedDecodeLane has jobs for nobody without threads", () => {
  using lane = new ThreadedDecodeLane(0);
  for (let wish = 0; wish < 1000; wish++) assertEquals(lane.claim(1, 1), undefined);
});
