/**
 * An NBD client, from its handshake, if it makes one, to its end.
 *
 * @module
 */
import { POLLIN, POLLOUT } from "../sys/poll.ts";
import { setSendBuffer } from "../sys/sockets.ts";
import type { Channel } from "../loop/channel.ts";
import type { BufferBudget } from "./buffer_budget.ts";
import { Connection } from "./connection.ts";
import type { Executor } from "../loop/executor.ts";
import type { ExportDescription } from "./export.ts";
import { Handshake } from "./handshake.ts";
import { Transmission } from "./transmission.ts";

/**
 * With less, long replies go out in pieces, and both sides wait for each other at every one of them:
 * 128 KiB reads are 1.7 times as fast as with the kernel's default of 208 KiB; more gains nothing.
 */
export const SEND_BUFFER_BYTES = 1024 * 1024;

/** Gives a connection the room that replies need, which may take a right that only the start has. */
export function widenForReplies(fd: number): void {
  setSendBuffer(fd, SEND_BUFFER_BYTES);
}

/** How long a client may take for its handshake, which needs a few messages. */
const HANDSHAKE_MS = 60_000;

export interface NbdChannelOptions {
  /** What to tell a new client; undefined for the kernel, which asks nothing. */
  readonly greeted?: ExportDescription | undefined;
  /** Of all connections of the thread. */
  readonly budget?: BufferBudget;
}

export class NbdChannel implements Channel {
  idleTurns = 0;
  readonly #executor: Executor;
  readonly #connection: Connection;
  readonly #transmission: Transmission;
  /** Undefined once requests may come. */
  #handshake: Handshake | undefined;

  /** When the handshake has to be over; Infinity if it is. */
  #handshakeByMs = Infinity;

  constructor(fd: number, executor: Executor, { greeted, budget }: NbdChannelOptions = {}) {
    widenForReplies(fd);
    this.#executor = executor;
    this.#connection = new Connection(fd, budget);
    this.#transmission = new Transmission(this.#connection, executor);
    if (greeted === undefined) return;
    this.#handshake = new Handshake(greeted, (bytes) => this.#connection.push(bytes));
    this.#handshakeByMs = performance.now() + HANDSHAKE_MS;
    this.#connection.push(Handshake.greeting());
    this.#connection.send();
  }

  get fd(): number {
    return this.#connection.fd;
  }

  get isOver(): boolean {
    return this.#connection.isOver;
  }

  get events(): number {
    if (this.#connection.hasUnsent) return POLLOUT;
    return this.#connection.takesInput ? POLLIN : 0;
  }

  get deadlineMs(): number {
    return Math.min(this.#handshakeByMs, this.#connection.stallsAtMs);
  }

  serve(): boolean {
    const progress = this.#goOn();
    if (!progress && this.deadlineMs !== Infinity) this.#losePatience();
    return progress;
  }

  #goOn(): boolean {
    const connection = this.#connection;
    // A client that does not read its replies gets no more of them.
    if (connection.hasUnsent && !connection.send()) return false;
    if (connection.finishing) return false;
    connection.starved = false;
    const received = !connection.inputEnded && connection.receive();
    const pending = connection.input.pending;
    if (this.#handshake !== undefined) this.#shakeHands(this.#handshake);
    if (this.#handshake === undefined) this.#transmission.serve();
    if (connection.hasUnsent) connection.send();
    const progress = received || connection.input.pending !== pending;
    // Whatever is left now is no whole request.
    if (connection.inputEnded && !progress && connection.takesInput) connection.finishing = true;
    return progress;
  }

  /** Hangs up on a client that keeps from others what it makes no use of. */
  #losePatience(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#handshakeByMs) this.#hangUp("it has not ended its handshake in time");
    else if (this.#connection.hasStalled(nowMs)) {
      this.#hangUp("others wait for the room of a long message that does not go on");
    }
  }

  #hangUp(reason: string): void {
    this.#executor.log.error(`a client was hung up on: ${reason}`);
    this.#handshakeByMs = Infinity;
    this.#connection.broken = true;
  }

  #shakeHands(handshake: Handshake): void {
    const connection = this.#connection;
    const { buffer, start, end } = connection.input;
    const next = handshake.advance(buffer, start, end);
    connection.input.take(next - start);
    if (handshake.state === "transmission") {
      this.#transmission.negotiated(handshake);
      this.#handshake = undefined;
      this.#handshakeByMs = Infinity;
    }
    if (handshake.state === "closed") connection.finishing = true;
  }

  send(): void {
    if (this.#connection.hasUnsent) this.#connection.send();
    // Requests that there was no room for are taken now, though nothing new comes in.
    if (this.#connection.input.pending > 0) this.idleTurns = 0;
  }

  /** The protocol has no word for it: the kernel is told by netlink, new clients in the handshake. */
  sizeChanged(): void {}

  releaseMemory(): void {
    this.#connection.releaseMemory();
  }

  /** What has arrived is answered; nothing more is taken in. */
  finish(): void {
    this.#connection.inputEnded = true;
    this.idleTurns = 0;
  }

  close(): void {
    const { trouble } = this.#connection;
    if (trouble !== undefined) this.#hangUp(trouble);
    this.#connection.broken = true;
    this.#connection.close();
  }
}
