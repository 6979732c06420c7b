/**
 * One client's socket with its buffers: input that has arrived and is not processed yet, and output
 * that is not sent yet.
 *
 * @module
 */
import { EAGAIN, EINTR } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../sys/sockets.ts";
import { hasHungUp } from "../sys/poll.ts";
import { BufferBudget } from "./buffer_budget.ts";
import { Claims } from "./claims.ts";

/** Both buffers: only pages that are used cost memory. They grow for one longer message at a time. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** What is received at once if no longer message is due: 64 writes of 4 KiB. */
const SHORT_INPUT_BYTES = 288 * 1024;

/** Requests of one client that may wait for a disk at the same time. */
const MAX_WAITING = 1024;

export class Connection {
  readonly fd: number;
  /** Received bytes not yet taken: `input` from `inputStart` to `inputEnd`. */
  input = IoBuffer.ofMessages(BUFFER_BYTES);
  inputStart = 0;
  inputEnd = 0;
  /** Bytes to send: `output` from `outputStart` to `outputEnd`. */
  output = IoBuffer.ofMessages(BUFFER_BYTES);
  outputStart = 0;
  outputEnd = 0;
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
  /**
   * How far `input` is filled. Not beyond the end of a long message: the next one then begins where
   * this one did, in memory that the processor still has in its cache.
   */
  #inputRoom = SHORT_INPUT_BYTES;
  /** What the messages lie in that are not longer than {@link BUFFER_BYTES}. */
  readonly #usualInput = this.input;
  readonly #usualOutput = this.output;

  /** @param budget of all connections of the thread */
  constructor(fd: number, budget: BufferBudget = new BufferBudget()) {
    this.fd = fd;
    this.#claims = new Claims(budget);
  }

  get hasUnsent(): boolean {
    return this.outputEnd > this.outputStart;
  }

  /** Bytes received but not taken. */
  get pendingInput(): number {
    return this.inputEnd - this.inputStart;
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
    if (this.inputEnd === this.#inputRoom) this.expect(SHORT_INPUT_BYTES);
    const room = this.#inputRoom - this.inputEnd;
    if (room === 0) return false;
    const at = this.input.address + this.inputEnd;
    const count = this.#libc.recv(this.fd, at, room, MSG_DONTWAIT);
    if (count > 0) {
      this.inputEnd += count;
      this.#claims.hasMoved();
      return true;
    }
    if (count === 0) this.#endInput();
    else if (!isTransient(lastErrno())) this.broken = true;
    return false;
  }

  #endInput(): void {
    this.inputEnded = true;
    this.peerGone = hasHungUp(this.fd);
  }

  /** Marks received bytes as taken. */
  take(bytes: number): void {
    this.inputStart += bytes;
    if (this.inputStart < this.inputEnd) return;
    this.inputStart = 0;
    this.inputEnd = 0;
    this.#inputRoom = SHORT_INPUT_BYTES;
    this.#releaseInput();
  }

  /**
   * Makes the input buffer able to hold a message of `bytes` that has begun to arrive. Where there
   * is no room for so long a one, the connection is starved.
   */
  expect(bytes: number): void {
    if (this.inputStart + bytes <= this.#inputRoom) return;
    if (!this.#mayHold(bytes)) {
      this.starved = true;
      return;
    }
    const pending = this.pendingInput;
    if (bytes > this.input.size) {
      const larger = this.#bufferOf(bytes);
      if (larger === undefined) return;
      larger.bytes.set(this.input.bytes.subarray(this.inputStart, this.inputEnd));
      this.input.releasePages();
      this.input = larger;
    } else {
      this.input.bytes.copyWithin(0, this.inputStart, this.inputEnd);
    }
    this.inputStart = 0;
    this.inputEnd = pending;
    this.#inputRoom = Math.max(bytes, SHORT_INPUT_BYTES);
  }

  /** Whether there is room for a message of `bytes`, which is claimed if it is a long one. */
  #mayHold(bytes: number): boolean {
    const claims = this.#claims;
    const free = Math.max(claims.shareBytes, SHORT_INPUT_BYTES, claims.of("input"));
    if (bytes <= free) return true;
    this.#releaseInput();
    return claims.claim("input", bytes);
  }

  /** Where there is no memory for so long a message, its connection has to go. */
  #bufferOf(bytes: number): IoBuffer | undefined {
    try {
      return IoBuffer.ofMessages(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.trouble = `no memory for a message of ${bytes} bytes`;
      this.broken = true;
      return undefined;
    }
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
    const input = this.takesInput && this.inputEnd < this.#inputRoom;
    return this.#claims.hasStalled(nowMs, { input, output: this.hasUnsent });
  }

  /**
   * Finds room for `bytes` of output, sending what is there if need be.
   *
   * @returns where in `output` to put them, or -1 if the client has to read first, or other clients
   *   have to (starved)
   */
  reserve(bytes: number): number {
    const claims = this.#claims;
    const room = Math.max(claims.shareBytes, claims.of("output"));
    if (this.outputEnd + bytes <= room) return this.outputEnd;
    if (!this.send()) return -1;
    if (bytes <= claims.shareBytes) return 0;
    if (!claims.claim("output", bytes)) {
      this.starved = true;
      return -1;
    }
    if (bytes <= this.output.size) return 0;
    const larger = this.#bufferOf(bytes);
    if (larger === undefined) return -1;
    this.output = larger;
    return 0;
  }

  /** Adds `bytes` at the place that {@link Connection.reserve} gave to what is to be sent. */
  commit(bytes: number): void {
    this.outputEnd += bytes;
  }

  /** Appends a message of the handshake. */
  push(message: Uint8Array): void {
    const at = this.reserve(message.length);
    if (at < 0) {
      this.broken = true;
      return;
    }
    this.output.bytes.set(message, at);
    this.commit(message.length);
  }

  /** Sends what there is, without waiting; whether all has been sent. */
  send(): boolean {
    while (this.outputStart < this.outputEnd) {
      const at = this.output.address + this.outputStart;
      const rest = this.outputEnd - this.outputStart;
      const count = this.#libc.send(this.fd, at, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0) {
        if (isTransient(lastErrno())) return false;
        this.broken = true;
        break;
      }
      this.outputStart += count;
      this.#claims.hasMoved();
    }
    this.outputStart = 0;
    this.outputEnd = 0;
    this.#releaseOutput();
    return true;
  }

  /**
   * The pages of a long reply are given back, not only the right to them: the collector of garbage
   * would come too late.
   */
  #releaseOutput(): void {
    if (this.#claims.of("output") === 0) return;
    this.output.releasePages();
    this.output = this.#usualOutput;
    this.#claims.release("output");
  }

  #releaseInput(): void {
    if (this.#claims.of("input") === 0) return;
    if (this.pendingInput === 0) {
      this.input.releasePages();
      this.input = this.#usualInput;
    }
    this.#claims.release("input");
  }

  /** Gives back the memory of buffers that are empty, until something comes again. */
  releaseMemory(): void {
    if (this.pendingInput === 0) this.input.releasePages();
    if (!this.hasUnsent) this.output.releasePages();
  }

  close(): void {
    this.#libc.close(this.fd);
    this.#claims.close();
    this.input.releasePages();
    this.output.releasePages();
  }
}

function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR;
}
