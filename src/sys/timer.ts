/**
 * A timer that is a descriptor, to be watched with others.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { Fd } from "./files.ts";
import { libc } from "./libc.ts";
import { IoBuffer } from "./memory.ts";

// linux/time.h, linux/timerfd.h
const CLOCK_MONOTONIC = 1;
const TFD_NONBLOCK = 0o4000;
const TFD_CLOEXEC = 0o2000000;
/** struct itimerspec: the period, then the time up to the first tick; each seconds and nanoseconds. */
const ITIMERSPEC = {
  size: 32,
  intervalSec: 0,
  intervalNsec: 8,
  valueSec: 16,
  valueNsec: 24,
} as const;
const EXPIRATIONS_BYTES = 8;

/** Becomes readable once in every period while it runs. */
export class IntervalTimer implements Disposable {
  readonly #fd: Fd;
  readonly #record = new IoBuffer(ITIMERSPEC.size);

  /** @throws {SystemError} as timerfd_create(2) */
  constructor() {
    const fd = libc().timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    this.#fd = new Fd(checked(fd, "timerfd_create"));
  }

  get fd(): number {
    return this.#fd.number;
  }

  /**
   * Starts it, or with 0 stops it.
   *
   * @throws {SystemError} as timerfd_settime(2)
   */
  setPeriod(milliseconds: number): void {
    const { bytes, view } = this.#record;
    const seconds = BigInt(Math.floor(milliseconds / 1000));
    const nanoseconds = BigInt(milliseconds % 1000) * 1_000_000n;
    view.setBigInt64(ITIMERSPEC.intervalSec, seconds, true);
    view.setBigInt64(ITIMERSPEC.intervalNsec, nanoseconds, true);
    view.setBigInt64(ITIMERSPEC.valueSec, seconds, true);
    view.setBigInt64(ITIMERSPEC.valueNsec, nanoseconds, true);
    checked(libc().timerfd_settime(this.fd, 0, bytes, null), "timerfd_settime");
  }

  /** Takes the ticks so far, so that it is not readable up to the next one. */
  takeTicks(): void {
    libc().read(this.fd, this.#record.address, EXPIRATIONS_BYTES);
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }
}
