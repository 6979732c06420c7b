/**
 * poll(2) over a set of descriptors that is filled anew before each wait.
 *
 * @module
 */
import { libc } from "./libc.ts";
import { IoBuffer } from "./memory.ts";

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;

// struct pollfd, asm-generic/poll.h: int fd; short events; short revents
const POLLFD = { size: 8, fd: 0, events: 4, revents: 6 } as const;

/** A reusable `struct pollfd` array. */
export class PollSet {
  /** A descriptor that is passed over: negative ones are, and keep their place in the set. */
  static readonly NOTHING = -1;

  readonly #libc = libc();
  #records = new IoBuffer(64 * POLLFD.size);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  /** Adds a descriptor and returns its place in the set. */
  add(fd: number, events: number): number {
    if ((this.#count + 1) * POLLFD.size > this.#records.size) this.#grow();
    const at = this.#count * POLLFD.size;
    this.#records.view.setInt32(at + POLLFD.fd, fd, true);
    this.#records.view.setInt16(at + POLLFD.events, events, true);
    this.#records.view.setInt16(at + POLLFD.revents, 0, true);
    return this.#count++;
  }

  /** What happened to the descriptor at `place`, as POLL* bits; 0 if nothing did. */
  events(place: number): number {
    return this.#records.view.getInt16(place * POLLFD.size + POLLFD.revents, true);
  }

  /**
   * Waits until something happens or `timeoutMs` have passed (-1: for ever).
   *
   * @returns how many descriptors have events; -1 if a signal interrupted
   */
  wait(timeoutMs: number): number {
    return this.#libc.poll(this.#records.address, this.#count, timeoutMs);
  }

  #grow(): void {
    const larger = new IoBuffer(this.#records.size * 2);
    larger.bytes.set(this.#records.bytes);
    this.#records = larger;
  }
}

/** Waits until something can be read from `fd`, or its end; false if `timeoutMs` pass before that. */
export function isReadable(fd: number, timeoutMs: number): boolean {
  const set = new PollSet();
  set.add(fd, POLLIN);
  return set.wait(timeoutMs) !== 0;
}

/** Whether both directions of a Unix socket are shut: its other end has been closed. */
export function hasHungUp(fd: number): boolean {
  const set = new PollSet();
  set.add(fd, 0);
  return set.wait(0) > 0 && (set.events(0) & POLLHUP) !== 0;
}

const NAP_MS = 1;

/** Waits for a moment, where nothing tells when the wait is over. */
export function nap(): void {
  libc().poll(0, 0, NAP_MS);
}
