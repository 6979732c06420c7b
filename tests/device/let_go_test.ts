// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { letGo } from "../../src/device/let_go.ts";
import { ENOSPC, SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { attachState } from "../support/states.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const STATE = attachState();

Deno.test("letGo() has a device go although nothing can be noted of it", () => {
  let gone = 0;
  const note = (): never => {
    throw new SystemError("write", ENOSPC);
  };
  letGo(STATE, note, () => gone++);
  assertEquals(gone, 1);
});

Deno.test("letGo() takes its note back if the device cannot go", () => {
  const notes: boolean[] = [];
  const refuse = (): never => {
    throw new SystemError("ioctl", ENOSPC);
  };
  const act = (): void => letGo(STATE, ({ isLeaving }) => notes.push(isLeaving), refuse);
  assertThrows(act, SystemError);
  assertEquals(notes, [true, false]);
});
