// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertFalse } from "@std/assert";
import { Change, ChangeKind } from "../../src/disk/change.ts";
import { ChangeRules } from "../../src/loop/change_rules.ts";
import { DEFAULT_WRITE_POLICY, type WritePolicy } from "../../src/loop/write_policy.ts";
import { Command, CommandFlag } from "../../src/nbd/protocol.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { ServedImage } from "../nbd/served_image.ts";
import type { RequestFields } from "../nbd/wire.ts";

const { Write, WriteZeroes, Trim, Flush } = Command;

function rulesOf(policy: Partial<WritePolicy>): ChangeRules {
  return new ChangeRules({ ...DEFAULT_WRITE_POLICY, ...policy });
}

function writeOf(bytes: readonly number[], position = 0): Change {
  const source = new IoBuffer(position + bytes.length);
  source.bytes.fill(1);
  source.bytes.set(bytes, position);
  return new Change().ask(ChangeKind.Write, 0, bytes.length).from(source, position);
}

Deno.test("ChangeRules.of() has none for what is wanted by default", () => {
  assertEquals(ChangeRules.of(DEFAULT_WRITE_POLICY), undefined);
  assertEquals(ChangeRules.of({ ...DEFAULT_WRITE_POLICY }), undefined);
});

Deno.test("ChangeRules.adapt() finds zeros, wherever they are in memory", () => {
  const rules = rulesOf({ detectZeroes: "on" });
  for (let position = 0; position < 9; position++) {
    for (let length = 1; length < 20; length++) {
      const zeros = Array.from({ length }, () => 0);
      const change = writeOf(zeros, position);
      rules.adapt(change);
      assertEquals([change.kind, change.source], [ChangeKind.WriteZeroes, undefined]);
      for (let at = 0; at < length; at++) {
        const other = writeOf(zeros.with(at, 1), position);
        rules.adapt(other);
        assertEquals(other.kind, ChangeKind.Write);
      }
    }
  }
});

Deno.test("ChangeRules.adapt() has zeros keep their place, but for --detect-zeroes unmap", () => {
  for (const detectZeroes of ["on", "unmap"] as const) {
    const change = writeOf([0, 0]);
    rulesOf({ detectZeroes }).adapt(change);
    assertEquals(change.keepAllocated, detectZeroes === "on");
  }
});

/** What is done to the file by `requests`, and how often it is synced. */
function served(policy: Partial<WritePolicy>, requests: readonly Partial<RequestFields>[]): {
  calls: string[];
  flushes: number;
} {
  using image = new ServedImage({ writePolicy: { ...DEFAULT_WRITE_POLICY, ...policy } });
  const { client } = image.connect();
  const before = image.shared.nextSync;
  for (const [n, fields] of requests.entries()) {
    client.ask({ command: Write, cookie: BigInt(n), offset: 0, ...fields } as RequestFields);
    image.settle();
  }
  return { calls: [...image.image.calls], flushes: image.shared.nextSync - before };
}

const PUNCH = 3;
const ZERO_KEEPING_SIZE = 0x11;
const payload = new Uint8Array(512).fill(7);

Deno.test("Executor syncs as --cache says", () => {
  const all = [
    { payload },
    { command: Flush },
    { command: WriteZeroes, length: 512 },
    { payload, flags: CommandFlag.Fua },
    { command: Trim, length: 512 },
  ];
  const flushes = (cache: WritePolicy["cache"]): number => served({ cache }, all).flushes;
  assertEquals(flushes("writeback"), 2);
  assertEquals(flushes("writethrough"), 4);
  assertEquals(flushes("unsafe"), 0);
});

Deno.test("Executor frees as --discard and --detect-zeroes say", () => {
  const trim = { command: Trim, length: 512 };
  const zeros = { command: WriteZeroes, length: 512 };
  assertEquals(served({}, [trim, zeros]).calls, [`${PUNCH} 0 512`, `${PUNCH} 0 512`]);
  assertEquals(served({ discard: "ignore" }, [trim, zeros]).calls, [`${ZERO_KEEPING_SIZE} 0 512`]);
  const written = [{ payload: new Uint8Array(512) }];
  assertEquals(served({}, written).calls, []);
  assertEquals(served({ detectZeroes: "on" }, written).calls, [`${ZERO_KEEPING_SIZE} 0 512`]);
  assertEquals(served({ detectZeroes: "unmap" }, written).calls, [`${PUNCH} 0 512`]);
  assertFalse(served({ detectZeroes: "unmap" }, [{ payload }]).calls.length > 0);
});
