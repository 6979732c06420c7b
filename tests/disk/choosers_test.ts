// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { canRead, choosersOf } from "../../src/disk/choosers.ts";

const ALICE = 1000;
const BOB = 1001;
const ROOT = 0;
const ALICES = choosersOf([{ uid: ALICE, mode: 0o644 }]);

type File = readonly [uid: number, mode: number];

function readable(choosers: typeof ALICES, file: File, folders: readonly File[] = []): boolean {
  const rights = ([uid, mode]: File): { uid: number; mode: number } => ({ uid, mode });
  return canRead(choosers, { file: rights(file), folders: folders.map(rights), self: ROOT });
}

Deno.test("choosersOf() names owners, and everybody where others may write", () => {
  assertEquals(ALICES, { everybody: false, uids: [ALICE] });
  assertEquals(choosersOf([{ uid: ALICE, mode: 0o644 }, { uid: BOB, mode: 0o755 }]), {
    everybody: false,
    uids: [ALICE, BOB],
  });
  for (const mode of [0o664, 0o646, 0o666]) {
    assertEquals(choosersOf([{ uid: ALICE, mode }]).everybody, true);
  }
});

Deno.test("canRead(): an owner reads what is his own, and what all may read", () => {
  assertEquals(readable(ALICES, [ALICE, 0o600]), true);
  assertEquals(readable(ALICES, [ROOT, 0o644]), true);
  for (const mode of [0o600, 0o640, 0o604]) assertEquals(readable(ALICES, [ROOT, mode]), false);
});

Deno.test("canRead() looks at the folders on the way, too", () => {
  assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o755], [ALICE, 0o700]]), true);
  assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o711]]), true);
  for (const mode of [0o700, 0o750, 0o744]) {
    assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o755], [ROOT, mode]]), false);
    assertEquals(readable(ALICES, [ALICE, 0o600], [[ROOT, mode]]), false);
  }
});

Deno.test("canRead(): everybody reads what all may read, whoever owns it", () => {
  const everybody = choosersOf([{ uid: ALICE, mode: 0o666 }]);
  assertEquals(readable(everybody, [ALICE, 0o644], [[ALICE, 0o755]]), true);
  assertEquals(readable(everybody, [ALICE, 0o600]), false);
  assertEquals(readable(everybody, [ALICE, 0o644], [[ALICE, 0o700]]), false);
});

Deno.test("canRead(): each of several owners has to be able to", () => {
  const both = choosersOf([{ uid: ALICE, mode: 0o644 }, { uid: BOB, mode: 0o755 }]);
  assertEquals(readable(both, [ALICE, 0o600]), false);
  assertEquals(readable(both, [ALICE, 0o644]), true);
});

Deno.test("canRead(): root, and who runs the program, need no permission", () => {
  const roots = choosersOf([{ uid: ROOT, mode: 0o644 }]);
  assertEquals(readable(roots, [ALICE, 0o600], [[BOB, 0o700]]), true);
  const file = { uid: ROOT, mode: 0o600 };
  assertEquals(canRead(ALICES, { file, folders: [], self: ALICE }), true);
});
