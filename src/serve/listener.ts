/**
 * Takes in the clients of a listening socket. For want of descriptors one is refused, and not left
 * waiting: it would have the loop called again and again.
 *
 * @module
 */
import type { ErrorLog } from "../loop/failures.ts";
import type { ServeLoop } from "../loop/serve_loop.ts";
import { EAGAIN, ECONNABORTED, EINTR, errorText, ifPossible } from "../sys/errno.ts";
import { type Fd, O_RDONLY, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { acceptClient, takeOverListener } from "../sys/sockets.ts";
import { IntervalTimer } from "../sys/timer.ts";

/** So long nobody is taken in where not even refusing is possible. */
const PAUSE_MS = 1000;
/** Errors that are about one client, which has gone again. */
const PASSING: readonly number[] = [ECONNABORTED, EINTR];

export interface ListenerContext {
  readonly loop: ServeLoop;
  readonly log: ErrorLog;
  /** Gets the descriptor of each new client. */
  readonly onClient: (fd: number) => void;
}

function openReserve(): Fd {
  return openFile("/dev/null", O_RDONLY);
}

export class Listener implements Disposable {
  readonly #socket: Fd;
  readonly #context: ListenerContext;
  readonly #timer = new IntervalTimer();
  /** Given up for a moment to refuse somebody, where there are no descriptors left. */
  #reserve: Fd | undefined = openReserve();

  constructor(socket: Fd, context: ListenerContext) {
    this.#socket = socket;
    this.#context = context;
    takeOverListener(socket.number);
    context.loop.addSource({ fd: this.#timer.fd, onReadable: () => this.#resume() });
    this.#watch();
  }

  #watch(): void {
    this.#context.loop.addSource({ fd: this.#socket.number, onReadable: () => this.#accept() });
  }

  #accept(): void {
    for (;;) {
      const fd = acceptClient(this.#socket.number);
      if (fd >= 0) {
        this.#context.onClient(fd);
        continue;
      }
      const errno = lastErrno();
      if (errno === EAGAIN) return;
      if (PASSING.includes(errno)) continue;
      const refusal = this.#refuseOne(errno);
      if (refusal === EAGAIN) return;
      if (refusal !== 0) return this.#pause(refusal);
    }
  }

  /**
   * Takes a client in that cannot be served, and hangs up on it. Without a descriptor, accept4(2) does
   * not even say that nobody waits.
   *
   * @returns 0, EAGAIN if nobody waits, or why even that is not possible
   */
  #refuseOne(errno: number): number {
    this.#reserve?.close();
    const fd = acceptClient(this.#socket.number);
    const refusal = fd < 0 ? lastErrno() : 0;
    if (fd >= 0) {
      libc().close(fd);
      this.#context.log.error(`a client was refused: ${errorText(errno)}`);
    }
    this.#reserve = ifPossible(openReserve);
    return refusal;
  }

  #pause(errno: number): void {
    this.#context.log.error(`no client can be taken in: ${errorText(errno)}`);
    this.#context.loop.removeSource(this.#socket.number);
    this.#timer.setPeriod(PAUSE_MS);
  }

  #resume(): void {
    this.#timer.takeTicks();
    this.#timer.setPeriod(0);
    this.#watch();
  }

  [Symbol.dispose](): void {
    this.#context.loop.removeSource(this.#socket.number);
    this.#context.loop.removeSource(this.#timer.fd);
    this.#timer[Symbol.dispose]();
    this.#socket.close();
    this.#reserve?.close();
  }
}
