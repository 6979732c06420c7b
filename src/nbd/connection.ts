/**
 * One client's socket with its buffers: input that has arrived and is not processed yet, and output
 * that is not sent yet.
 *
 * @module
 */
import { EAGAIN, EINTR } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { hasHungUp } from "../sys/poll.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../sys/sockets.ts";
import { BufferBudget } from "./buffer_budget.ts";
import { Claims } from "./claims.ts";
import { Input } from "./input.ts";
import { Output } from "./output.ts";

/** Requests of one client that may wait for a disk at the same time. */
const MAX_WAITING = 1024;

export class Connection {
  readonly fd: number;
  readonly input: Input;
  readonly output: Output;
  /** Requests that wait for a disk. */
  waiting = 0;
  /** The client is gone, or will only read what it has asked for. */
  inputEnded = false;
  /** The client is gone, and reads no answer any more. */
  peerGone = false;
  /** No more requests are taken; the connection ends when all have been answered. */
  finishing = false;
  /** The socket is of no use any more. */
  broken = false;
  /** A message is too long for the room that other connections leave: nothing is taken until then. */
  starved = false;
  /** Why the connection is broken, if that is no fault of the client's. */
  trouble: string | undefined = undefined;

  readonly #libc = libc();
  readonly #claims: Claims;

  /** @param budget of all connections of the thread */
  constructor(fd: number, budget: BufferBudget = new BufferBudget()) {
    this.fd = fd;
    this.#claims = new Claims(budget);
    this.input = new Input(this.#claims);
    this.output = new Output(this.#claims);
  }

  get hasUnsent(): boolean {
    return this.output.pending > 0;
  }

  /** Whether more may be received now: not at the end, nor while there is too much of anything. */
  get takesInput(): boolean {
    return !this.finishing && !this.starved && this.waiting < MAX_WAITING;
  }

  get isOver(): boolean {
    return this.broken || (this.finishing && this.waiting === 0 && !this.hasUnsent);
  }

  /** Takes in what has arrived, without waiting; whether anything had. */
  receive(): boolean {
    const { input } = this;
    input.makeRoom();
    if (input.room === 0) return false;
    let count = this.#receiveOnce();
    // Said twice: see lastErrno().
    if (count < 0 && !isTransient(lastErrno())) count = this.#receiveOnce();
    if (count > 0) {
      input.end += count;
      this.#claims.hasMoved();
      return true;
    }
    if (count === 0) this.#endInput();
    else if (!isTransient(lastErrno())) this.broken = true;
    return false;
  }

  #receiveOnce(): number {
    const { buffer, end, room } = this.input;
    return this.#libc.recv(this.fd, buffer.address + end, room, MSG_DONTWAIT);
  }

  #endInput(): void {
    this.inputEnded = true;
    this.peerGone = hasHungUp(this.fd);
  }

  /**
   * Makes the input buffer able to hold a message of `bytes` that has begun to arrive. Where there
   * is no room for so long a one, the connection is starved.
   */
  expect(bytes: number): void {
    if (!this.input.holds(bytes)) this.#hold(this.input, bytes);
  }

  /**
   * Finds room for `bytes` of output, sending what is there if need be.
   *
   * @returns where in the output's buffer to put them, or -1 if the client has to read first, or other
   *   clients have to (starved)
   */
  reserve(bytes: number): number {
    const { output } = this;
    if (output.holds(bytes)) return output.end;
    return this.send() && this.#hold(output, bytes) ? 0 : -1;
  }

  /** Where there is no memory for so long a message, its connection has to go. */
  #hold(messages: Input | Output, bytes: number): boolean {
    try {
      const holds = messages.hold(bytes);
      if (!holds) this.starved = true;
      return holds;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.trouble = `no memory for a message of ${bytes} bytes`;
      this.broken = true;
      return false;
    }
  }

  /** Adds `bytes` at the place that {@link Connection.reserve} gave to what is to be sent. */
  commit(bytes: number): void {
    this.output.end += bytes;
  }

  /** Appends a message of the handshake. */
  push(message: Uint8Array): void {
    const at = this.reserve(message.length);
    if (at < 0) {
      this.broken = true;
      return;
    }
    this.output.buffer.bytes.set(message, at);
    this.commit(message.length);
  }

  /** Sends what there is, without waiting; whether all has been sent. */
  send(): boolean {
    const { output } = this;
    while (output.pending > 0) {
      let count = this.#sendOnce();
      // Said twice: see lastErrno().
      if (count < 0 && !isTransient(lastErrno())) count = this.#sendOnce();
      if (count < 0) {
        if (isTransient(lastErrno())) return false;
        this.broken = true;
        break;
      }
      output.start += count;
      this.#claims.hasMoved();
    }
    output.clear();
    return true;
  }

  #sendOnce(): number {
    const { buffer, start, pending } = this.output;
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return this.#libc.send(this.fd, buffer.address + start, pending, flags);
  }

  /** As {@link Claims.stallsAtMs}. */
  get stallsAtMs(): number {
    return this.#claims.stallsAtMs;
  }

  /**
   * As {@link Claims.hasStalled}. To receive and to send has been tried a moment ago: if there is room
   * for more of a message, or a reply is left, it is the client who has to go on.
   */
  hasStalled(nowMs: number): boolean {
    const input = this.takesInput && this.input.room > 0;
    return this.#claims.hasStalled(nowMs, { input, output: this.hasUnsent });
  }

  /** Gives back the memory of buffers that are empty, until something comes again. */
  releaseMemory(): void {
    if (this.input.pending === 0) this.input.buffer.releasePages();
    if (!this.hasUnsent) this.output.buffer.releasePages();
  }

  close(): void {
    this.#libc.close(this.fd);
    this.#claims.close();
    this.input.buffer.releasePages();
    this.output.buffer.releasePages();
  }
}

function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR;
}
