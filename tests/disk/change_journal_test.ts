// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ChangeJournal, isInUse, KeptKind } from "../../src/disk/change_journal.ts";
import { Cleared, Placement } from "../../src/image/writing.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const RECORD_BYTES = 64;
const MIB = 1024 * 1024;

function memoryFor(records: number): IoBuffer {
  return new IoBuffer((1 + records) * RECORD_BYTES);
}

function placed(guestOffset: number, hostOffset: number): Placement {
  const placement = new Placement();
  placement.setFresh(512, 1024, 2560);
  placement.guestOffset = guestOffset;
  placement.hostOffset = hostOffset;
  return placement;
}

/** As the next daemon finds them. */
function found(memory: IoBuffer): number[] {
  return [...new ChangeJournal({ memory }, []).changes()].map(({ guestOffset }) => guestOffset);
}

Deno.test("ChangeJournal remembers whole units, in their order", () => {
  const memory = memoryFor(8);
  assertEquals(isInUse({ memory }), false);
  const journal = new ChangeJournal({ memory }, []);
  journal.wrote(placed(4608, 2 ** 40 + 512), false);
  journal.cleared(65536, 131072, Cleared.Zeros);
  journal.cleared(0, 4096, Cleared.Discarded);
  journal.cleared(8192, 4096, Cleared.KeptZeros);
  assertEquals(isInUse({ memory }), true);
  const changes = [...new ChangeJournal({ memory }, []).changes()];
  assertEquals(
    changes.map(({ kind, guestOffset, lengthBytes }) => [kind, guestOffset, lengthBytes]),
    [
      [KeptKind.Data, 4096, 4096],
      [KeptKind.Zeros, 65536, 131072],
      [KeptKind.Discarded, 0, 4096],
      [KeptKind.KeptZeros, 8192, 4096],
    ],
  );
  assertEquals(changes[0]?.hostOffset, 2 ** 40);
});

Deno.test("ChangeJournal forgets what a round has taken, and nothing that came later", () => {
  const memory = memoryFor(8);
  const journal = new ChangeJournal({ memory }, []);
  for (let round = 0; round < 100; round++) {
    journal.cleared(2 * round, 1, Cleared.Zeros);
    journal.begin(true);
    journal.cleared(2 * round + 1, 1, Cleared.Zeros);
    assertEquals(found(memory), round === 0 ? [0, 1] : [2 * round - 1, 2 * round, 2 * round + 1]);
    journal.end();
    assertEquals(found(memory), [2 * round + 1]);
  }
});

Deno.test("ChangeJournal forgets nothing in a round that has left some of it", () => {
  const memory = memoryFor(8);
  const journal = new ChangeJournal({ memory }, []);
  journal.cleared(1, 1, Cleared.Zeros);
  journal.begin(false);
  journal.end();
  assertEquals(found(memory), [1]);
});

Deno.test("ChangeJournal is full before a record is written over, and before too much has to be held", () => {
  const journal = new ChangeJournal({ memory: memoryFor(8) }, []);
  const seen: [boolean, boolean][] = [];
  for (let n = 0; n < 8; n++) {
    seen.push([journal.isCrowded, journal.isFull]);
    journal.cleared(n, 1, Cleared.Zeros);
  }
  assertEquals(seen[3], [false, false]);
  assertEquals(seen[4], [true, false]);
  // One change may be recorded in several pieces.
  assertEquals([seen[6], seen[7], journal.isFull], [[true, false], [true, true], true]);

  const blank = new ChangeJournal({ memory: memoryFor(8) }, []);
  const block = new Placement();
  block.setFresh(0, 512, 0);
  block.blankBehind = 200 * MIB;
  blank.wroteInPlace(512 * MIB);
  blank.wrote(block, false);
  assertEquals([blank.isCrowded, blank.isFull], [false, false]);
  blank.wroteInPlace(127 * MIB);
  assertEquals([blank.isCrowded, blank.isFull], [false, false]);
  blank.wroteInPlace(MIB);
  assertEquals([blank.isCrowded, blank.isFull], [true, false]);
  blank.begin(true);
  blank.wrote(block, false);
  blank.end();
  assertEquals([blank.isCrowded, blank.isFull], [false, false]);
  // There is no more room than that in what is remembered.
  for (let n = 0; n < 3; n++) blank.wroteInPlace(100 * MIB);
  assertEquals([blank.isCrowded, blank.isFull], [true, false]);

  const large = new ChangeJournal({ memory: memoryFor(8) }, []);
  const placement = new Placement();
  placement.setFresh(0, 128 * MIB, 0);
  large.wrote(placement, false);
  assertEquals([large.isCrowded, large.isFull], [true, false]);
  large.wrote(placement, false);
  assertEquals(large.isFull, true);
  large.begin(true);
  large.end();
  assertEquals([large.isCrowded, large.isFull], [false, false]);
});

Deno.test("ChangeJournal records what is in tables only if something older might undo it", () => {
  const memory = memoryFor(8);
  const journal = new ChangeJournal({ memory }, []);
  journal.wrote(placed(512, 512), true);
  assertEquals(found(memory), []);
  journal.cleared(7, 1, Cleared.Zeros);
  journal.wrote(placed(512, 512), true);
  assertEquals(found(memory), [7, 0]);
});

Deno.test("ChangeJournal records nothing while changes are made anew, and goes on then", () => {
  const memory = memoryFor(8);
  new ChangeJournal({ memory }, []).cleared(1, 1, Cleared.Zeros);
  const journal = new ChangeJournal({ memory }, []);
  journal.cleared(2, 1, Cleared.Zeros);
  journal.begin(true);
  journal.end();
  assertEquals(found(memory), [1]);
  journal.resume();
  journal.cleared(3, 1, Cleared.Zeros);
  assertEquals(found(memory), [3]);
});

Deno.test("ChangeJournal keeps for good that something was lost", () => {
  const memory = memoryFor(8);
  new ChangeJournal({ memory }, []).setLost();
  assertEquals(new ChangeJournal({ memory }, []).hasLost, true);
});

Deno.test("ChangeJournal refuses records that it does not know", () => {
  const memory = memoryFor(8);
  memory.view.setInt32(0, 2, true);
  assertThrows(() => new ChangeJournal({ memory }, []), Error, "version 2");
});
