/**
 * Work the kernel has put off on this processor: soft interrupts, such as telling a block device's
 * user that a request is done.
 *
 * Raised by a system call, they wait for the processor's ksoftirqd thread or the next interrupt. A
 * thread that goes on working, or spins for its next request, so delays the very completion that
 * would bring that request. Whatever takes a lock "with bottom halves off" has them run when it lets
 * go (`local_bh_enable`, kernel/softirq.c), in the caller's own time; setting a socket option does so.
 *
 * @module
 */
import { Fd } from "./files.ts";
import { libc } from "./libc.ts";

// sys/socket.h
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/** Runs what was put off. It costs a system call, and is of no effect where it cannot work. */
export class DeferredWork implements Disposable {
  readonly #libc = libc();
  readonly #socket = new Fd(libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  readonly #on = new Uint8Array(new Int32Array([1]).buffer);

  runNow(): void {
    this.#libc.setsockopt(this.#socket.number, SOL_SOCKET, SO_REUSEADDR, this.#on, 4);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
