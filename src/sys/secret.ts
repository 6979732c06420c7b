/**
 * Bytes that nobody but those who use them should come by.
 *
 * @module
 */
import { libc } from "./libc.ts";
import { addressOf, bytesAt } from "./memory.ts";
import { reservePages, returnPages } from "./pages.ts";
import { SYSTEM_CALLS } from "./system_calls.ts";

/** asm-generic/mman-common.h, since 3.4: not in core dumps. */
const MADV_DONTDUMP = 16;
const RLIMIT_CORE = 4;
/** Too few for a file; and a program that the kernel would hand them to gets none at just this limit. */
const NO_CORE_BYTES = 1n;

/** Where the bytes of a secret are: other threads of the process see them there. */
export interface SecretPlace {
  readonly address: number;
  readonly lengthBytes: number;
}

/**
 * Room for a secret, all zero at first. It is moved nowhere, by no garbage collector, nor to swap space as
 * far as this user may lock memory (RLIMIT_MEMLOCK), and is in no core dump.
 *
 * @throws {SystemError} ENOMEM
 */
export function makeSecret(lengthBytes: number): SecretPlace {
  const address = reservePages(Math.max(lengthBytes, 1));
  libc().mlock(address, lengthBytes);
  libc().madvise(address, lengthBytes, MADV_DONTDUMP);
  return { address, lengthBytes };
}

/** The bytes of a secret, in any thread; they must not be used once it is forgotten. */
export function secretBytes({ address, lengthBytes }: SecretPlace): Uint8Array {
  return bytesAt(address, lengthBytes);
}

/** A copy of `bytes`, which are overwritten. */
export function keepSecret(bytes: Uint8Array): Uint8Array {
  const secret = secretBytes(makeSecret(bytes.length));
  secret.set(bytes);
  bytes.fill(0);
  return secret;
}

/** Overwrites a secret, and gives its memory back. */
export function forgetSecret(place: SecretPlace): void {
  secretBytes(place).fill(0);
  returnPages(place.address, Math.max(place.lengthBytes, 1));
}

/**
 * Has the kernel make no core dump of this process, whatever becomes of it: for one that knows secrets,
 * copies of which are all over its memory.
 */
export function makeNoCoreDump(): void {
  const limits = new BigUint64Array(new ArrayBuffer(16));
  limits.fill(NO_CORE_BYTES);
  const address = addressOf(limits);
  libc().syscall(SYSTEM_CALLS.prlimit64, 0, RLIMIT_CORE, address, 0, 0, 0);
}
