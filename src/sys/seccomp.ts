/**
 * Filters of system calls (seccomp(2)): what a process that serves never does, it cannot do from then on,
 * whoever has taken it over.
 *
 * A filter is a program for the kernel's old packet filter (linux/filter.h, linux/bpf_common.h): it loads
 * words of struct seccomp_data (linux/seccomp.h), compares, and returns what becomes of the call.
 *
 * @module
 */
import { EINVAL, ENOSYS, EPERM } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { addressOf } from "./memory.ts";
import { SYSTEM_CALLS, type SystemCallName } from "./system_calls.ts";

/** When a call is refused. Of arguments, the lower 32 bits are looked at: these calls use no others. */
export type Refusal =
  | { readonly when: "always" }
  /** Always, as by a kernel that does not know it: callers then make another one. */
  | { readonly when: "unknown" }
  /** Any of these bits is set. */
  | { readonly when: "any of"; readonly argument: number; readonly bits: number }
  /** Not all of these bits are set, or one of the others. */
  | { readonly when: "not all of"; readonly argument: number; readonly bits: number }
  | { readonly when: "is not"; readonly argument: number; readonly value: number }
  /** The argument is one of the 256 that begin here. */
  | { readonly when: "is among"; readonly argument: number; readonly first: number };

/** Which calls are refused, and when: on any of these grounds. */
export type Refusals = ReadonlyMap<SystemCallName, readonly Refusal[]>;

// struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
const NUMBER_AT = 0;
const ARCH_AT = 4;
const ARGUMENTS_AT = 16;
/** linux/audit.h: the machine, 64 bits, little-endian. */
const AUDIT_ARCH = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;
/** Calls of the x32 ABI are numbered from here on. */
const X32_FIRST = 0x40000000;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_ANY = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

const ALLOW = 0x7fff0000;
const ERROR = 0x00050000;

/** struct sock_filter: __u16 code; __u8 jt, jf; __u32 k. The jumps are forwards, over so many. */
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly ifTrue?: number;
  readonly ifFalse?: number;
}
const INSTRUCTION_BYTES = 8;

/** Made by every request: they are looked for first, as kernels before 5.11 run the filter each time. */
const HOT: readonly SystemCallName[] = [
  ...["recvfrom", "sendto", "preadv2", "pread64", "pwrite64", "read", "write"] as const,
  ...["poll", "ppoll", "futex", "recvmsg", "sendmsg", "pwritev2"] as const,
];

const allow: Instruction = { code: RETURN, k: ALLOW };
const refuse: Instruction = { code: RETURN, k: ERROR | EPERM };
const denyKnowledge: Instruction = { code: RETURN, k: ERROR | ENOSYS };

/** The filter as the kernel takes it. */
export function seccompFilter(refusals: Refusals): Uint8Array<ArrayBuffer> {
  const program = [
    { code: LOAD, k: ARCH_AT },
    ...unless({ code: IF_EQUAL, k: AUDIT_ARCH[Deno.build.arch] }, [refuse]),
    { code: LOAD, k: NUMBER_AT },
    ...when({ code: IF_AT_LEAST, k: X32_FIRST }, [refuse]),
    ...HOT.flatMap((name) => ofCall(name, [allow])),
    ...[...refusals].flatMap(([name, grounds]) =>
      ofCall(name, [...grounds.flatMap(refusalIf), allow])
    ),
    allow,
  ];
  return encode(program);
}

function ofCall(name: SystemCallName, then: readonly Instruction[]): readonly Instruction[] {
  const number = SYSTEM_CALLS[name];
  return number < 0 ? [] : when({ code: IF_EQUAL, k: number }, then);
}

function refusalIf(refusal: Refusal): readonly Instruction[] {
  if (refusal.when === "always") return [refuse];
  if (refusal.when === "unknown") return [denyKnowledge];
  const load = { code: LOAD, k: ARGUMENTS_AT + 8 * refusal.argument };
  switch (refusal.when) {
    case "any of":
      return [load, ...when({ code: IF_ANY, k: refusal.bits }, [refuse])];
    case "not all of":
      return [
        load,
        { code: AND, k: refusal.bits },
        ...unless({ code: IF_EQUAL, k: refusal.bits }, [refuse]),
      ];
    case "is not":
      return [load, ...unless({ code: IF_EQUAL, k: refusal.value }, [refuse])];
    case "is among":
      return [
        load,
        { code: AND, k: ~0xff >>> 0 },
        ...when({ code: IF_EQUAL, k: refusal.first }, [refuse]),
      ];
  }
}

function when(test: Instruction, then: readonly Instruction[]): readonly Instruction[] {
  return [{ ...test, ifFalse: then.length }, ...then];
}

function unless(test: Instruction, then: readonly Instruction[]): readonly Instruction[] {
  return [{ ...test, ifTrue: then.length }, ...then];
}

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(program.length * INSTRUCTION_BYTES));
  for (const [place, { code, k, ifTrue = 0, ifFalse = 0 }] of program.entries()) {
    const at = place * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, k >>> 0, true);
  }
  return new Uint8Array(view.buffer);
}

const SECCOMP_SET_MODE_FILTER = 1;
/** For all threads, or for none. */
const FILTER_FLAG_TSYNC = 1;
/** Since 4.17. Before 5.16, a process with a filter is slowed down by a mitigation unless it says so. */
const FILTER_FLAG_SPEC_ALLOW = 4;

/**
 * Installs a filter in all threads of this process, for good. This one must not be able to get any new
 * privileges ({@link noNewPrivileges}); from then on none of them is.
 *
 * @returns false where the kernel does not do it: it has no filters, or another thread has one of its own
 */
export function installFilter(filter: Uint8Array<ArrayBuffer>): boolean {
  // struct sock_fprog: unsigned short len; struct sock_filter *filter
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, filter.length / INSTRUCTION_BYTES, true);
  program.setBigUint64(8, BigInt(addressOf(filter)), true);
  const address = addressOf(new Uint8Array(program.buffer));
  const install = (flags: number): bigint =>
    libc().syscall(SYSTEM_CALLS.seccomp, SECCOMP_SET_MODE_FILTER, flags, address, 0, 0, 0);
  const result = install(FILTER_FLAG_TSYNC | FILTER_FLAG_SPEC_ALLOW);
  if (result === 0n) return true;
  return lastErrno() === EINVAL && install(FILTER_FLAG_TSYNC) === 0n;
}
