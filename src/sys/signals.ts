/**
 * Signals as file descriptors: they are blocked before the daemon is spawned, so that every thread
 * has them blocked, and then read from a signalfd.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { Fd } from "./files.ts";
import { libc } from "./libc.ts";
import { addressOf, IoBuffer } from "./memory.ts";

// asm-generic/signal.h
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGKILL = 9;
/** Neither the runtime nor this program uses it otherwise. */
export const SIGUSR2 = 12;
export const SIGTERM = 15;
const SIGCHLD = 17;
export const SIGXFSZ = 25;
/** First real-time signal that glibc leaves to programs, and the last one. */
const SIGRT_FIRST = 34;
const SIGRT_LAST = 64;

const SIGSET_BYTES = 128;
/** struct sigaction (bits/sigaction.h of glibc); the handler comes first. */
const SIGACTION_BYTES = 152;
const SIGNALFD_SIGINFO_BYTES = 128;
const SFD_NONBLOCK = 0o4000;
const SFD_CLOEXEC = 0o2000000;

/** Threads that can have a completion signal of their own. */
export const MAX_SIGNAL_THREADS = 24;

/**
 * The signal by which thread number `thread` of a daemon learns that slow work is done.
 *
 * @param thread 0 for the main thread, up to {@link MAX_SIGNAL_THREADS} - 1
 */
export function completionSignal(thread: number): number {
  if (thread < 0 || thread >= MAX_SIGNAL_THREADS) throw new RangeError(`no signal for ${thread}`);
  return SIGRT_FIRST + 4 + thread;
}

/** Raises the completion signal of thread number `thread` of this process. */
export function wakeThread(thread: number): void {
  libc().kill(libc().getpid(), completionSignal(thread));
}

/** Every signal a daemon reads rather than receives. */
export function daemonSignals(): number[] {
  const realTime = Array.from(
    { length: SIGRT_LAST - SIGRT_FIRST + 1 },
    (_, index) => SIGRT_FIRST + index,
  );
  return [SIGHUP, SIGINT, SIGTERM, ...realTime];
}

/** A `sigset_t` with just these signals in it. */
export function signalSet(signals: readonly number[]): Uint8Array<ArrayBuffer> {
  const set = new Uint8Array(SIGSET_BYTES);
  for (const signal of signals) {
    const bit = signal - 1;
    set[bit >> 3] = (set[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return set;
}

const SIG_DFL = 0;
const SIG_IGN = 1;
/** What a terminal, or whoever stops programs, sends. */
export const INTERRUPTIONS = [SIGHUP, SIGINT, SIGTERM] as const;

/**
 * Has interruptions ignored from now on: what is left to do takes a moment, and must not be left half
 * done.
 *
 * @returns what was to happen at each of {@link INTERRUPTIONS}
 */
export function ignoreInterruptions(): readonly (number | bigint)[] {
  return INTERRUPTIONS.map((signal) => libc().signal(signal, SIG_IGN));
}

/** Does what must not be left half done: interruptions that come meanwhile are ignored. */
export function uninterrupted<T>(act: () => T): T {
  const before = ignoreInterruptions();
  try {
    return act();
  } finally {
    INTERRUPTIONS.forEach((signal, place) => libc().signal(signal, Number(before[place] ?? 0)));
  }
}

/** Has a write that passes the user's limit on files fail (EFBIG), instead of ending the process. */
export function ignoreFileSizeSignal(): void {
  libc().signal(SIGXFSZ, SIG_IGN);
}

/**
 * Makes sure that children can be waited for. Whoever has started this program may ignore SIGCHLD, and
 * has it do so as well: then the kernel forgets children as soon as they end.
 */
export function expectChildren(): void {
  const action = new Uint8Array(SIGACTION_BYTES);
  libc().sigaction(SIGCHLD, 0, action);
  const [low, high] = new Uint32Array(action.buffer, 0, 2);
  if (low === SIG_IGN && high === 0) libc().signal(SIGCHLD, SIG_DFL);
}

const SA_FLAGS_AT = 136;
const SA_RESTART = 0x10000000;

/**
 * Has a signal run a function.
 *
 * @param handler its address. It may be called in any thread, so that it can be none of JavaScript's
 */
export function catchSignal(signal: number, handler: number): void {
  const action = new Uint8Array(new ArrayBuffer(SIGACTION_BYTES));
  const view = new DataView(action.buffer);
  view.setBigUint64(0, BigInt(handler), true);
  view.setUint32(SA_FLAGS_AT, SA_RESTART, true);
  checked(libc().sigaction(signal, addressOf(action), null), "sigaction");
}

/** Reads blocked signals without waiting. */
export class SignalReader implements Disposable {
  readonly #fd: Fd;
  readonly #record = new IoBuffer(SIGNALFD_SIGINFO_BYTES);

  /** @throws {SystemError} as signalfd(2) */
  constructor(signals: readonly number[]) {
    const flags = SFD_NONBLOCK | SFD_CLOEXEC;
    this.#fd = new Fd(checked(libc().signalfd(-1, signalSet(signals), flags), "signalfd"));
  }

  get fd(): number {
    return this.#fd.number;
  }

  /** Number of the next waiting signal, or 0. */
  next(): number {
    const count = libc().read(this.fd, this.#record.address, SIGNALFD_SIGINFO_BYTES);
    return count === SIGNALFD_SIGINFO_BYTES ? this.#record.view.getUint32(0, true) : 0;
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }
}
