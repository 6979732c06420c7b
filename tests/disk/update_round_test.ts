// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { UpdateRound } from "../../src/disk/update_round.ts";
import { Level, type Updates } from "../../src/image/updates.ts";
import type { Tables, Writing } from "../../src/image/writing.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { ENOSPC, SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import type { IoBuffer } from "../../src/sys/memory.ts";

openLibc();

/** A file that only tells what is done to it. */
class FakeFile {
  hasUnsynced = false;
  isFull = false;
  hasLost = false;
  readonly writes: string[] = [];

  takeUnsynced(): boolean {
    const had = this.hasUnsynced;
    this.hasUnsynced = false;
    return had;
  }

  write(source: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void {
    if (this.isFull) throw new SystemError("write", ENOSPC, "image");
    this.hasUnsynced = true;
    this.writes.push(`${hostOffset}: ${source.bytes.subarray(position, position + lengthBytes)}`);
  }
}

type Given = readonly [level: Level, hostOffset: number, ...bytes: number[]];

function roundOf(given: readonly Given[]): { round: UpdateRound; file: FakeFile; told: string[] } {
  const file = new FakeFile();
  const told: string[] = [];
  const tables: Pick<Tables, "takeUpdates" | "reached" | "updated"> = {
    takeUpdates: (updates: Updates): void => {
      for (const [level, hostOffset, ...bytes] of given) {
        updates.add(level, file as unknown as ImageFile, hostOffset, Uint8Array.from(bytes));
      }
    },
    reached: (level) => told.push(`level ${level}`),
    updated: (isDurable) => told.push(`durable: ${isDurable}`),
  };
  const writing = { files: [file], writers: "one", place: () => {}, tables };
  return { round: new UpdateRound(writing as unknown as Writing), file, told };
}

/** What is written before each sync of a round. */
function steps({ round, file }: ReturnType<typeof roundOf>): string[][] {
  const seen: string[][] = [];
  round.begin("everything");
  while (round.next().length > 0) seen.push(file.writes.splice(0));
  round.end("durable");
  return seen;
}

Deno.test("UpdateRound writes level by level, with a sync after each that has something", () => {
  const all = roundOf([[Level.Tables, 8, 3], [Level.Counts, 4, 1], [Level.CountTables, 0, 2]]);
  assertEquals(steps(all), [["4: 1"], ["0: 2"], ["8: 3"]]);
  assertEquals(all.told, ["level 0", "level 1", "durable: true"]);
  assertEquals(steps(roundOf([[Level.Tables, 8, 3]])), [["8: 3"]]);
  assertEquals(steps(roundOf([])), []);
});

Deno.test("UpdateRound syncs data before anything refers to them", () => {
  const all = roundOf([[Level.Tables, 8, 3]]);
  all.file.hasUnsynced = true;
  assertEquals(steps(all), [[], ["8: 3"]]);
});

Deno.test("UpdateRound writes what is side by side at once", () => {
  const all = roundOf([[Level.Tables, 8, 3, 4], [Level.Tables, 10, 5], [Level.Tables, 12, 6]]);
  assertEquals(steps(all), [["8: 3,4,5", "12: 6"]]);
});

Deno.test("UpdateRound leaves tables alone where what is written is to become durable", () => {
  const { round, file, told } = roundOf([[Level.Counts, 4, 1], [Level.Tables, 8, 2]]);
  for (const outcome of ["durable", "lost"] as const) {
    file.hasUnsynced = true;
    round.begin("what is written");
    assertEquals(round.next().length, 1);
    assertEquals(round.next().length, 0);
    round.end(outcome);
  }
  assertEquals([file.writes, told], [[], []]);
});

Deno.test("UpdateRound fails where it cannot write, and is over where something was lost", () => {
  const full = roundOf([[Level.Counts, 4, 1]]);
  full.round.begin("everything");
  full.file.isFull = true;
  assertThrows(() => full.round.next(), SystemError);
  full.round.end("unwritten");
  assertEquals(full.told, ["durable: false"]);
  assertFalse(full.round.isOver);
  full.file.hasLost = true;
  assert(full.round.isOver);
});
