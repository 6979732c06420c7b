/**
 * A function without parameters that makes system calls, as instructions of this machine.
 *
 * @module
 */
import type { SystemCall } from "./system_calls.ts";

const ARGUMENTS = 5;

/** The instructions, which can lie anywhere. */
export function machineCode(
  calls: readonly SystemCall[],
  arch: typeof Deno.build.arch = Deno.build.arch,
): Uint8Array<ArrayBuffer> {
  const { call, end } = MACHINES[arch];
  return Uint8Array.from([...calls.flatMap((each) => [...call(each)]), ...end]);
}

interface Machine {
  /** Makes one call. */
  readonly call: (call: SystemCall) => Iterable<number>;
  /** Returns. */
  readonly end: readonly number[];
}

/** `movabs REGISTER, value`, its first bytes: rdi, rsi, rdx, r10, r8. */
const X86_ARGUMENTS = [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8]];
const X86_RAX = [0x48, 0xb8];

function* x86Call({ number, args }: SystemCall): Iterable<number> {
  for (let at = 0; at < ARGUMENTS; at++) {
    yield* X86_ARGUMENTS[at] ?? [];
    yield* littleEndian(BigInt(args[at] ?? 0), 8);
  }
  yield* X86_RAX;
  yield* littleEndian(BigInt(number), 8);
  yield* [0x0f, 0x05]; // syscall
}

/** `movz xN, #0`, to which the register and 16 bits are added; `movk` in the same way, at 16 bits each. */
const ARM_MOVZ = 0xd2800000n;
const ARM_MOVK = 0xf2800000n;
const ARM_NUMBER_REGISTER = 8;

function* armCall({ number, args }: SystemCall): Iterable<number> {
  for (let at = 0; at < ARGUMENTS; at++) yield* armMove(at, BigInt(args[at] ?? 0));
  yield* armMove(ARM_NUMBER_REGISTER, BigInt(number));
  yield* littleEndian(0xd4000001n, 4); // svc #0
}

function* armMove(register: number, value: bigint): Iterable<number> {
  for (let part = 0n; part < 4n; part++) {
    const bits = (value >> part * 16n) & 0xffffn;
    const move = part === 0n ? ARM_MOVZ : ARM_MOVK;
    yield* littleEndian(move | part << 21n | bits << 5n | BigInt(register), 4);
  }
}

function littleEndian(value: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, at) => Number((value >> BigInt(at * 8)) & 0xffn));
}

const MACHINES: Readonly<Record<typeof Deno.build.arch, Machine>> = {
  x86_64: { call: x86Call, end: [0xc3] },
  aarch64: { call: armCall, end: [0xc0, 0x03, 0x5f, 0xd6] },
};
