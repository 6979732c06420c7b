// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { refusedCalls } from "../../src/daemon/refused_calls.ts";
import { type Refusals, seccompFilter } from "../../src/sys/seccomp.ts";
import { SYSTEM_CALLS, type SystemCallName } from "../../src/sys/system_calls.ts";

const ALLOWED = 0x7fff0000;
const REFUSED = 0x00050001;
const UNKNOWN = 0x00050026;
const ARCH = { x86_64: 0xc000003e, aarch64: 0xc00000b7 }[Deno.build.arch];

/** What a filter returns for a call: a machine for the instructions that filters have. */
function verdict(
  filter: Uint8Array<ArrayBuffer>,
  number: number,
  args: readonly number[] = [],
  arch = ARCH,
): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  args.forEach((value, place) => data.setUint32(16 + 8 * place, value, true));
  const view = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0; at < filter.length; at += 8) {
    const k = view.getUint32(at + 4, true);
    const jump = (isTrue: boolean): number => 8 * view.getUint8(at + (isTrue ? 2 : 3));
    switch (view.getUint16(at, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x15:
        at += jump(accumulator === k);
        break;
      case 0x35:
        at += jump(accumulator >= k);
        break;
      case 0x45:
        at += jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${view.getUint16(at, true)}`);
    }
  }
  throw new Error("the filter does not return");
}

function isRefused(refusals: Refusals, name: SystemCallName, ...args: number[]): boolean {
  const result = verdict(seccompFilter(refusals), SYSTEM_CALLS[name], args);
  assert(result === ALLOWED || result === REFUSED || result === UNKNOWN);
  return result !== ALLOWED;
}

Deno.test("seccompFilter() refuses what is told, and nothing else of the calls", () => {
  const refusals: Refusals = new Map([["ptrace", [{ when: "always" }]]]);
  const filter = seccompFilter(refusals);
  const refused = Array.from({ length: 512 }, (_, number) => number)
    .filter((number) => verdict(filter, number) !== ALLOWED);
  assertEquals(refused, [SYSTEM_CALLS.ptrace]);
});

Deno.test("seccompFilter() refuses the calls of other machines, and of x32", () => {
  const filter = seccompFilter(new Map());
  assertEquals(verdict(filter, SYSTEM_CALLS.read), ALLOWED);
  assertEquals(verdict(filter, SYSTEM_CALLS.read, [], 0x40000003), REFUSED);
  assertEquals(verdict(filter, SYSTEM_CALLS.read + 0x40000000), REFUSED);
});

Deno.test("seccompFilter() looks at arguments", () => {
  const refusals: Refusals = new Map([
    ["openat", [{ when: "any of", argument: 2, bits: 0b11 }]],
    ["clone", [{ when: "not all of", argument: 0, bits: 0b110 }]],
    ["kill", [{ when: "is not", argument: 0, value: 4711 }]],
    ["ioctl", [{ when: "is among", argument: 1, first: 0x8900 }]],
  ]);
  const check = (name: SystemCallName, ...args: number[]): boolean =>
    isRefused(refusals, name, ...args);
  assertEquals([0b100, 0b101, 0b10].map((flags) => check("openat", 0b11, 0b11, flags)), [
    false,
    true,
    true,
  ]);
  assertEquals([0b110, 0b1111, 0b10, 0].map((flags) => check("clone", flags)), [
    false,
    false,
    true,
    true,
  ]);
  assertEquals([4711, 4712, 0, 2 ** 32 - 1].map((pid) => check("kill", pid)), [
    false,
    true,
    true,
    true,
  ]);
  assertEquals([0x88ff, 0x8900, 0x89ff, 0x8a00].map((call) => check("ioctl", 3, call)), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("a call that is refused under conditions is not one that is never allowed", () => {
  const refusals = refusedCalls(4711);
  assertEquals(verdict(seccompFilter(refusals), SYSTEM_CALLS.clone3), UNKNOWN);
  assertEquals(isRefused(refusals, "clone", 0x3d0f00), false);
  assertEquals(isRefused(refusals, "clone", 17), true);
  assertEquals(isRefused(refusals, "kill", 4711), false);
  assertEquals(isRefused(refusals, "unshare", 0x400), false);
  assertEquals(isRefused(refusals, "unshare", 0x20000), true);
  assertEquals(isRefused(refusals, "socket", 1, 0o2004002), false);
  assertEquals(isRefused(refusals, "socket", 1, 0o2004001), true);
  assertEquals(isRefused(refusals, "socket", 2, 2), true);
  assertEquals(isRefused(refusals, "openat", 0, 0, 0o2000000), false);
  assertEquals(isRefused(refusals, "openat", 0, 0, 0o101), true);
});
