// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { canOpen, choosersOf } from "../../src/disk/choosers.ts";

const ALICE = 1000;
const BOB = 1001;
const ROOT = 0;
const ALICES = choosersOf([{ uid: ALICE, mode: 0o644 }]);

type File = readonly [uid: number, mode: number];

const rights = ([uid, mode]: File): { uid: number; mode: number } => ({ uid, mode });

function readable(choosers: typeof ALICES, file: File, folders: readonly File[] = []): boolean {
  const place = { file: rights(file), folders: folders.map(rights) };
  return canOpen(choosers, { ...place, self: ROOT, isWritten: false });
}

function writable(choosers: typeof ALICES, file: File, folders: readonly File[] = []): boolean {
  const place = { file: rights(file), folders: folders.map(rights) };
  return canOpen(choosers, { ...place, self: ROOT, isWritten: true });
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

Deno.test("canOpen(): an owner reads what is his own, and what all may read", () => {
  assertEquals(readable(ALICES, [ALICE, 0o600]), true);
  assertEquals(readable(ALICES, [ROOT, 0o644]), true);
  for (const mode of [0o600, 0o640, 0o604]) assertEquals(readable(ALICES, [ROOT, mode]), false);
});

Deno.test("canOpen() looks at the folders on the way, too", () => {
  assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o755], [ALICE, 0o700]]), true);
  assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o711]]), true);
  for (const mode of [0o700, 0o750, 0o744]) {
    assertEquals(readable(ALICES, [ROOT, 0o644], [[ROOT, 0o755], [ROOT, mode]]), false);
    assertEquals(readable(ALICES, [ALICE, 0o600], [[ROOT, mode]]), false);
  }
});

Deno.test("canOpen(): everybody reads what all may read, whoever owns it", () => {
  const everybody = choosersOf([{ uid: ALICE, mode: 0o666 }]);
  assertEquals(readable(everybody, [ALICE, 0o644], [[ALICE, 0o755]]), true);
  assertEquals(readable(everybody, [ALICE, 0o600]), false);
  assertEquals(readable(everybody, [ALICE, 0o644], [[ALICE, 0o700]]), false);
});

Deno.test("canOpen(): each of several owners has to be able to", () => {
  const both = choosersOf([{ uid: ALICE, mode: 0o644 }, { uid: BOB, mode: 0o755 }]);
  assertEquals(readable(both, [ALICE, 0o600]), false);
  assertEquals(readable(both, [ALICE, 0o644]), true);
});

Deno.test("canOpen(): root, and who runs the program, need no permission", () => {
  const roots = choosersOf([{ uid: ROOT, mode: 0o644 }]);
  assertEquals(readable(roots, [ALICE, 0o600], [[BOB, 0o700]]), true);
  const file = { uid: ROOT, mode: 0o600 };
  assertEquals(canOpen(ALICES, { file, folders: [], self: ALICE, isWritten: false }), true);
  assertEquals(canOpen(ALICES, { file, folders: [], self: ALICE, isWritten: true }), true);
});

Deno.test("canOpen(): an owner writes to what is his own, and what all may write to", () => {
  assertEquals(writable(ALICES, [ALICE, 0o600], [[ROOT, 0o755]]), true);
  assertEquals(writable(ALICES, [ROOT, 0o666], [[ROOT, 0o755]]), true);
  for (const mode of [0o644, 0o664, 0o646, 0o622]) {
    assertEquals(writable(ALICES, [ROOT, mode]), false);
  }
  assertEquals(writable(ALICES, [ALICE, 0o600], [[ROOT, 0o700]]), false);
});
