/**
 * The C functions that are called for every request, made cheap to call with numbers.
 *
 * V8's optimised code calls a C function without a detour, but of a 64-bit argument it expects a
 * bigint: at a number it falls back to slow code ("deoptimizing, reason: not a BigInt"), forgets why,
 * optimises again, and so on for ever, with a second thread busy compiling. A bigint that is read
 * from a typed array and passed on at once satisfies it, and is never made an object.
 *
 * @module
 */
import type { Calls, Libc } from "./libc_symbols.ts";

/** Turns a number, negative ones down to -2^53 included, into the 64 bits of a C argument. */
type ToWord = (value: number) => bigint;

function wordSlot(): ToWord {
  const halves = new Uint32Array(2);
  const words = new BigUint64Array(halves.buffer);
  return (value) => {
    halves[0] = value >>> 0;
    halves[1] = Math.floor(value / 2 ** 32);
    return words[0] ?? 0n;
  };
}

/** What is called for every request, or nearly so. */
export const HOT_NAMES = [
  "read",
  "write",
  "pread",
  "pwrite",
  "preadv2",
  "posix_fadvise",
  "lseek",
  "fallocate",
  "recv",
  "send",
  "poll",
  "setsockopt",
  "aio_read",
  "aio_fsync",
  "memcpy",
] as const satisfies readonly (keyof Libc)[];

type HotName = (typeof HOT_NAMES)[number];

/** Makes of a function that takes words one that takes numbers. */
type Wrap<K extends keyof Libc> = (call: Calls<number | bigint>[K]) => Libc[K];

/**
 * The hot functions. Each of the calls in here only ever sees one function, and so is optimised for
 * it.
 */
export function hotCalls(): { readonly [K in HotName]: Wrap<K> } {
  const [first, second] = [wordSlot(), wordSlot()];
  return {
    read: (call) => (fd, to, count) => call(fd, first(to), count),
    write: (call) => (fd, from, count) => call(fd, first(from), count),
    pread: (call) => (fd, to, count, offset) => call(fd, first(to), count, second(offset)),
    pwrite: (call) => (fd, from, count, offset) => call(fd, first(from), count, second(offset)),
    preadv2: (call) => (fd, vector, length, offset, flags) =>
      call(fd, first(vector), length, second(offset), flags),
    posix_fadvise: (call) => (fd, offset, length, advice) =>
      call(fd, first(offset), second(length), advice),
    lseek: (call) => (fd, offset, whence) => call(fd, first(offset), whence),
    fallocate: (call) => (fd, mode, offset, length) =>
      call(fd, mode, first(offset), second(length)),
    recv: (call) => (fd, to, count, flags) => call(fd, first(to), count, flags),
    send: (call) => (fd, from, count, flags) => call(fd, first(from), count, flags),
    poll: (call) => (records, count, timeoutMs) => call(first(records), count, timeoutMs),
    setsockopt: (call) => (fd, level, name, value, length) => call(fd, level, name, value, length),
    aio_read: (call) => (control) => call(first(control)),
    aio_fsync: (call) => (operation, control) => call(operation, first(control)),
    memcpy: (call) => (to, from, count) => call(first(to), second(from), count),
  };
}
