// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { FileRange } from "../../src/storage/attempt.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { HintedReads } from "../../src/loop/hinted_reads.ts";
import { ParkedRequest } from "../../src/loop/parked_request.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { becomesCold } from "../support/page_cache.ts";
import { eventually } from "../support/patience.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { TempDirectory } from "../support/tools.ts";

openLibc();

const MIB = 1024 * 1024;

/** A file whose cache is what the test says. */
class FakeFile {
  readonly cached = new Set<number>();
  readonly hinted: number[] = [];
  takesHints = true;

  hint(hostOffset: number): boolean {
    this.hinted.push(hostOffset);
    return this.takesHints;
  }

  isCached(hostOffset: number): boolean {
    return this.cached.has(hostOffset);
  }

  range(hostOffset: number): FileRange {
    const range = new FileRange();
    range.set(this as unknown as ImageFile, hostOffset, 4096);
    return range;
  }

  /** A request that waits for 4 KiB of it. */
  awaited(hostOffset: number, done: number[]): ParkedRequest {
    const fields = { command: 0, tagHigh: 0, tagLow: 0, offset: hostOffset, length: 4096 };
    const owner = { resume: () => true, isGone: false, park: (): ParkedRequest => parked };
    const parked: ParkedRequest = new ParkedRequest({ owner, ...fields });
    parked.waitsFor(this.range(hostOffset));
    parked.onReady = () => done.push(hostOffset);
    return parked;
  }
}

Deno.test("HintedReads tells who need not wait any longer, in any order", () => {
  const [file, hinted, done] = [new FakeFile(), new HintedReads(), [] as number[]];
  for (const offset of [0, 4096, 8192]) assert(hinted.add(file.awaited(offset, done)));
  assertEquals(file.hinted, [0, 4096, 8192]);
  hinted.reap();
  assertEquals(done, []);
  file.cached.add(4096);
  hinted.reap();
  assertEquals(done, [4096]);
  file.cached.add(0).add(8192);
  hinted.reap();
  assertEquals([done, hinted.busy], [[4096, 0, 8192], false]);
});

Deno.test("HintedReads takes no one whose file takes no hints, and none that waits once more", () => {
  const [file, hinted] = [new FakeFile(), new HintedReads()];
  const again = file.awaited(0, []);
  again.waitsFor(file.range(0));
  assertFalse(hinted.add(again));
  file.takesHints = false;
  assertFalse(hinted.add(file.awaited(4096, [])));
  assertFalse(hinted.busy);
});

Deno.test("HintedReads takes a bounded number", () => {
  const [file, hinted] = [new FakeFile(), new HintedReads()];
  let taken = 0;
  while (taken < 1000 && hinted.add(file.awaited(taken * 4096, []))) taken++;
  assertEquals(taken, 64);
});

Deno.test("HintedReads gives back who waits too long, and everybody before a sleep", () => {
  const [file, hinted, done] = [new FakeFile(), new HintedReads(), [] as number[]];
  for (const offset of [0, 4096, 8192]) hinted.add(file.awaited(offset, done));
  let turns = 0;
  let overdue: ParkedRequest | undefined;
  for (; overdue === undefined && turns < 10_000; turns++) {
    hinted.reap();
    overdue = hinted.takeOverdue();
  }
  assertEquals([overdue?.offset, turns], [0, 2000]);
  hinted.reap();
  assertEquals(hinted.takeOverdue(), undefined);
  assertEquals(hinted.takeAll().map(({ offset }) => offset), [4096, 8192]);
  assertEquals([hinted.busy, done], [false, []]);
});

Deno.test("ImageFile.hint() brings a range into the page cache", async () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  Deno.writeFileSync(path, seededBytes(4 * MIB, 1));
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  await becomesCold(file, () => !file.isCached(2 * MIB, 65536));
  assert(file.hint(2 * MIB, 65536));
  await eventually(() => file.isCached(2 * MIB, 65536), "the range to be read");
  assertFalse(file.hint(0, 4 * MIB));
});
