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
import type { Calls, Libc } from "./libc.ts";

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

/** All of `calls`; the hot ones among them are handed bigints that cost nothing. */
export function withHotCalls(calls: Calls<number | bigint>): Libc {
  const [first, second] = [wordSlot(), wordSlot()];
  return {
    ...calls,
    read: (fd, to, count) => calls.read(fd, first(to), count),
    write: (fd, from, count) => calls.write(fd, first(from), count),
    pread: (fd, to, count, offset) => calls.pread(fd, first(to), count, second(offset)),
    pwrite: (fd, from, count, offset) => calls.pwrite(fd, first(from), count, second(offset)),
    preadv2: (fd, vector, length, offset, flags) =>
      calls.preadv2(fd, first(vector), length, second(offset), flags),
    lseek: (fd, offset, whence) => calls.lseek(fd, first(offset), whence),
    fallocate: (fd, mode, offset, length) =>
      calls.fallocate(fd, mode, first(offset), second(length)),
    recv: (fd, to, count, flags) => calls.recv(fd, first(to), count, flags),
    send: (fd, from, count, flags) => calls.send(fd, first(from), count, flags),
    poll: (records, count, timeoutMs) => calls.poll(first(records), count, timeoutMs),
    aio_read: (control) => calls.aio_read(first(control)),
    aio_fsync: (operation, control) => calls.aio_fsync(operation, first(control)),
    memcpy: (to, from, count) => calls.memcpy(first(to), second(from), count),
  };
}
