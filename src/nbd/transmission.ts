/**
 * The transmission phase: takes requests out of a connection's input, has them executed and puts
 * simple replies into its output.
 *
 * What can be answered without waiting for a disk is answered at once. A request that would have to
 * wait is parked, and answered when the slow lane has done its part: replies may come out of order.
 *
 * @module
 */
import { EDQUOT, EFBIG, ENOMEM, ENOSPC, EPERM, EROFS } from "../sys/errno.ts";
import type { Connection } from "./connection.ts";
import type { Executor } from "../serve/executor.ts";
import { ParkedRequest, type RequestOwner } from "../serve/parked_request.ts";
import {
  Command,
  CommandFlag,
  MAX_PAYLOAD_BYTES,
  NbdError,
  REQUEST,
  REQUEST_MAGIC,
  SIMPLE_REPLY,
  SIMPLE_REPLY_MAGIC,
} from "./protocol.ts";

/** Replies are sent when this much is waiting, so that the client can begin to work on them. */
const SEND_AT_BYTES = 512 * 1024;
/** Commands other than reads and disconnects, with the flags each may have. */
const CHANGE_FLAGS: Readonly<Record<number, number>> = {
  [Command.Write]: CommandFlag.Fua,
  [Command.Flush]: CommandFlag.Fua,
  [Command.Trim]: CommandFlag.Fua,
  [Command.WriteZeroes]: CommandFlag.Fua | CommandFlag.NoHole | CommandFlag.FastZero,
};

/** Error numbers that clients are told as they are; all others become EIO. */
const NBD_ERRORS: Readonly<Record<number, number>> = {
  [EPERM]: NbdError.Perm,
  [EROFS]: NbdError.Perm,
  [ENOMEM]: NbdError.NoMem,
  [ENOSPC]: NbdError.NoSpc,
  [EDQUOT]: NbdError.NoSpc,
  [EFBIG]: NbdError.NoSpc,
};

/** Takes the requests of one connection and answers them. */
export class Transmission implements RequestOwner {
  readonly #connection: Connection;
  readonly #executor: Executor;

  // The request at hand, parsed. The cookie goes back as it came, in two halves.
  #flags = 0;
  #command = 0;
  #cookieHigh = 0;
  #cookieLow = 0;
  #offset = 0;
  #length = 0;

  constructor(connection: Connection, executor: Executor) {
    this.#connection = connection;
    this.#executor = executor;
  }

  /** Takes every request that has arrived, as far as there is room for replies. */
  serve(): void {
    const connection = this.#connection;
    while (connection.takesInput && !connection.broken) {
      if (!this.#takeRequest(connection)) return;
      if (connection.outputEnd - connection.outputStart >= SEND_AT_BYTES) connection.send();
    }
  }

  /** False if the next request has not arrived as a whole, or there is no room for its reply. */
  #takeRequest(connection: Connection): boolean {
    const arrived = connection.pendingInput;
    if (arrived < REQUEST.size) {
      connection.expect(REQUEST.size);
      return false;
    }
    if (!this.#parse(connection.input.view, connection.inputStart)) {
      // What follows cannot be understood: there is no way to go on with this client.
      connection.broken = true;
      return false;
    }
    if (this.#command === Command.Write) return this.#takeWrite(connection, arrived);
    if (this.#command === Command.Read) return this.#takeRead(connection);
    if (this.#command === Command.Disconnect) return endRequests(connection);
    return this.#takeChange(connection, REQUEST.size);
  }

  #parse(view: DataView, at: number): boolean {
    this.#flags = view.getUint16(at + REQUEST.flags);
    this.#command = view.getUint16(at + REQUEST.type);
    this.#cookieHigh = view.getUint32(at + REQUEST.cookie);
    this.#cookieLow = view.getUint32(at + REQUEST.cookie + 4);
    this.#offset = view.getUint32(at + REQUEST.offset) * 2 ** 32 +
      view.getUint32(at + REQUEST.offset + 4);
    this.#length = view.getUint32(at + REQUEST.length);
    const hasLostPayload = this.#command === Command.Write && this.#length > MAX_PAYLOAD_BYTES;
    return view.getUint32(at + REQUEST.magic) === REQUEST_MAGIC && !hasLostPayload;
  }

  #takeRead(connection: Connection): boolean {
    const refusal = this.#refusalOfRead();
    const dataBytes = refusal === NbdError.None ? this.#length : 0;
    const place = connection.reserve(SIMPLE_REPLY.size + dataBytes);
    if (place < 0) return false;
    if (refusal === NbdError.None) this.#read(connection, place);
    else this.#reply(place, refusal, 0);
    connection.take(REQUEST.size);
    return true;
  }

  #refusalOfRead(): number {
    if ((this.#flags & ~CommandFlag.Fua) !== 0) return NbdError.Inval;
    if (this.#length > MAX_PAYLOAD_BYTES) return NbdError.Inval;
    return this.#isInside() ? NbdError.None : NbdError.Inval;
  }

  #isInside(): boolean {
    return this.#offset + this.#length <= this.#executor.access.sizeBytes;
  }

  /** Answers a read from `place` on, or parks it. */
  #read(connection: Connection, place: number): void {
    const alone = connection.pendingInput === REQUEST.size;
    const { output } = connection;
    const dataAt = place + SIMPLE_REPLY.size;
    try {
      const done = this.#executor.read(output, dataAt, this.#offset, this.#length, alone);
      if (done) return this.#reply(place, NbdError.None, this.#length);
      this.#executor.park(this.#parked());
      connection.waiting++;
    } catch (error) {
      this.#reply(place, this.#failure("read", error), 0);
    }
  }

  #parked(): ParkedRequest {
    return new ParkedRequest({
      owner: this,
      command: this.#command,
      tagHigh: this.#cookieHigh,
      tagLow: this.#cookieLow,
      offset: this.#offset,
      length: this.#length,
    });
  }

  #takeWrite(connection: Connection, arrived: number): boolean {
    const whole = REQUEST.size + this.#length;
    if (arrived >= whole) return this.#takeChange(connection, whole);
    connection.expect(whole);
    return false;
  }

  /** Everything that may change the disk, and flushes; `bytes` is the length of the request. */
  #takeChange(connection: Connection, bytes: number): boolean {
    const place = connection.reserve(SIMPLE_REPLY.size);
    if (place < 0) return false;
    const error = this.#refusalOfChange() || this.#change(connection);
    const mustBeDurable = this.#command === Command.Flush || (this.#flags & CommandFlag.Fua) !== 0;
    if (error === NbdError.None && mustBeDurable) {
      connection.waiting++;
      this.#executor.flush(this.#parked());
    } else {
      this.#reply(place, error, 0);
    }
    connection.take(bytes);
    return true;
  }

  #refusalOfChange(): number {
    const allowed = CHANGE_FLAGS[this.#command];
    if (allowed === undefined || (this.#flags & ~allowed) !== 0) return NbdError.Inval;
    if (this.#command === Command.Flush) return NbdError.None;
    if (this.#executor.access.readOnly) return NbdError.Perm;
    if (this.#isInside()) return NbdError.None;
    return this.#command === Command.Trim ? NbdError.Inval : NbdError.NoSpc;
  }

  #change(connection: Connection): number {
    try {
      return this.#changeOrThrow(connection);
    } catch (error) {
      return this.#failure("write", error);
    }
  }

  #changeOrThrow(connection: Connection): number {
    const offset = this.#offset;
    const length = this.#length;
    if (this.#command === Command.Write) {
      const payload = connection.inputStart + REQUEST.size;
      this.#executor.access.write(connection.input, payload, offset, length);
    } else if (this.#command === Command.Trim) {
      this.#executor.access.discard(offset, length);
    } else if (this.#command === Command.WriteZeroes) {
      const keepAllocated = (this.#flags & CommandFlag.NoHole) !== 0;
      const onlyIfFast = (this.#flags & CommandFlag.FastZero) !== 0;
      const done = this.#executor.access.writeZeroes(offset, length, keepAllocated, onlyIfFast);
      if (!done) return NbdError.NotSup;
    }
    return NbdError.None;
  }

  #failure(what: string, error: unknown): number {
    const errno = this.#executor.failure(what, this.#offset, this.#length, error);
    return NBD_ERRORS[errno] ?? NbdError.Io;
  }

  /** Completes the reply at `place`, whose data, if any, is already behind it. */
  #reply(place: number, error: number, dataBytes: number): void {
    const { view } = this.#connection.output;
    view.setUint32(place + SIMPLE_REPLY.magic, SIMPLE_REPLY_MAGIC);
    view.setUint32(place + SIMPLE_REPLY.error, error);
    view.setUint32(place + SIMPLE_REPLY.cookie, this.#cookieHigh);
    view.setUint32(place + SIMPLE_REPLY.cookie + 4, this.#cookieLow);
    this.#connection.commit(SIMPLE_REPLY.size + dataBytes);
  }

  resume(parked: ParkedRequest): boolean {
    const connection = this.#connection;
    if (connection.broken) return true;
    const isRead = parked.command === Command.Read;
    const place = connection.reserve(SIMPLE_REPLY.size + (isRead ? parked.length : 0));
    if (place < 0) return false;
    this.#recall(parked);
    if (isRead && !this.#readAgain(parked, place)) return true;
    if (!isRead) this.#reply(place, parked.error === 0 ? NbdError.None : NbdError.Io, 0);
    connection.waiting--;
    return true;
  }

  /** False if the read has to wait once more. */
  #readAgain(parked: ParkedRequest, place: number): boolean {
    const { output } = this.#connection;
    try {
      if (this.#executor.readAgain(parked, output, place + SIMPLE_REPLY.size)) {
        this.#reply(place, NbdError.None, parked.length);
        return true;
      }
      this.#executor.park(parked);
      return false;
    } catch (error) {
      this.#reply(place, this.#failure("read", error), 0);
      return true;
    }
  }

  #recall(parked: ParkedRequest): void {
    this.#command = parked.command;
    this.#cookieHigh = parked.tagHigh;
    this.#cookieLow = parked.tagLow;
    this.#offset = parked.offset;
    this.#length = parked.length;
  }
}

function endRequests(connection: Connection): boolean {
  connection.finishing = true;
  connection.take(connection.pendingInput);
  return true;
}
