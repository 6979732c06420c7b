/**
 * The transmission phase: takes requests out of a connection's input, has them executed and puts
 * simple replies into its output.
 *
 * What can be answered without waiting for a disk is answered at once. A request that would have to
 * wait is parked, and answered when the slow lane has done its part: replies may come out of order.
 *
 * @module
 */
import type { ImageAccess } from "../image/image_access.ts";
import {
  EDQUOT,
  EFBIG,
  ENOMEM,
  ENOSPC,
  EPERM,
  EROFS,
  errorText,
  SystemError,
} from "../sys/errno.ts";
import { SLOW_READ_MAX_BYTES, type SlowLane } from "../sys/slow_lane.ts";
import type { Connection } from "./connection.ts";
import { FlushQueue } from "./flush_queue.ts";
import { ParkedRequest } from "./parked_request.ts";
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
import type { SharedState } from "./shared_state.ts";

/** Replies are sent when this much is waiting, so that the client can begin to work on them. */
const SEND_AT_BYTES = 512 * 1024;
/** How often a parked read is tried again before it may simply wait: where the page cache can be
 * asked, and where it cannot. */
const MAX_ATTEMPTS = { informed: 64, blind: 3 } as const;

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

/** Where errors of requests are reported. */
export interface ErrorLog {
  error(message: string): void;
}

export interface TransmissionContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  readonly shared: SharedState;
  readonly log: ErrorLog;
}

/** Executes the requests of one thread's connections on its image. */
export class Transmission {
  readonly #access: ImageAccess;
  readonly #lane: SlowLane;
  readonly #log: ErrorLog;
  readonly #flushes: FlushQueue;
  readonly #maxAttempts: number;
  /** Parked requests whose turn has come. */
  #ready: ParkedRequest[] = [];

  // The request at hand, parsed. The cookie goes back as it came, in two halves.
  #flags = 0;
  #command = 0;
  #cookieHigh = 0;
  #cookieLow = 0;
  #offset = 0;
  #length = 0;

  constructor(context: TransmissionContext) {
    const { access, lane, shared, log } = context;
    this.#access = access;
    this.#lane = lane;
    this.#log = log;
    const onFailure = (errno: number): void => log.error(`flush failed: ${errorText(errno)}`);
    this.#flushes = new FlushQueue(access.filesToSync, { lane, shared, onFailure });
    this.#maxAttempts = access.cannotTellCached ? MAX_ATTEMPTS.blind : MAX_ATTEMPTS.informed;
    access.setMayBlock(false);
  }

  /** Takes every request that has arrived on `connection`, as far as there is room for replies. */
  serve(connection: Connection): void {
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
    if (this.#access.cannotTellCached) this.#waitIfAlone(connection);
    if (refusal !== NbdError.None) this.#reply(connection, place, refusal, 0);
    else this.#read(connection, place, undefined);
    connection.take(REQUEST.size);
    return true;
  }

  #refusalOfRead(): number {
    if ((this.#flags & ~CommandFlag.Fua) !== 0) return NbdError.Inval;
    if (this.#length > MAX_PAYLOAD_BYTES) return NbdError.Inval;
    return this.#isInside() ? NbdError.None : NbdError.Inval;
  }

  #isInside(): boolean {
    return this.#offset + this.#length <= this.#access.sizeBytes;
  }

  /** Waiting is no harm where nothing else is to be done, and cheaper than the slow lane. */
  #waitIfAlone(connection: Connection): void {
    const others = connection.pendingInput > REQUEST.size || this.#lane.busy;
    this.#access.setMayBlock(!others);
  }

  /** Answers a read from `place` on, or parks it. */
  #read(connection: Connection, place: number, parked: ParkedRequest | undefined): void {
    const { output } = connection;
    try {
      if (this.#access.read(output, place + SIMPLE_REPLY.size, this.#offset, this.#length)) {
        this.#reply(connection, place, NbdError.None, this.#length);
      } else {
        this.#parkRead(parked ?? this.#park(connection));
      }
    } catch (error) {
      this.#reply(connection, place, this.#failure("read", error), 0);
    }
  }

  #parkRead(parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = this.#access.blockedOn;
    if (file === undefined) throw new Error("blocked on nothing");
    parked.connection.waiting++;
    parked.waitsFor(file, hostOffset, hostBytes);
    this.#lane.read(file, hostOffset, hostBytes, parked);
  }

  #park(connection: Connection): ParkedRequest {
    return new ParkedRequest({
      connection,
      command: this.#command,
      cookieHigh: this.#cookieHigh,
      cookieLow: this.#cookieLow,
      offset: this.#offset,
      length: this.#length,
      onReady: (parked) => this.#ready.push(parked),
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
      this.#flushes.add(this.#park(connection));
    } else {
      this.#reply(connection, place, error, 0);
    }
    connection.take(bytes);
    return true;
  }

  #refusalOfChange(): number {
    const allowed = CHANGE_FLAGS[this.#command];
    if (allowed === undefined || (this.#flags & ~allowed) !== 0) return NbdError.Inval;
    if (this.#command === Command.Flush) return NbdError.None;
    if (this.#access.readOnly) return NbdError.Perm;
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
      this.#access.write(connection.input, payload, offset, length);
    } else if (this.#command === Command.Trim) {
      this.#access.discard(offset, length);
    } else if (this.#command === Command.WriteZeroes) {
      const keepAllocated = (this.#flags & CommandFlag.NoHole) !== 0;
      const onlyIfFast = (this.#flags & CommandFlag.FastZero) !== 0;
      const done = this.#access.writeZeroes(offset, length, keepAllocated, onlyIfFast);
      if (!done) return NbdError.NotSup;
    }
    return NbdError.None;
  }

  /** Logs why a request failed, and finds the number to tell the client. */
  #failure(what: string, error: unknown): number {
    const text = error instanceof Error ? error.message : String(error);
    this.#log.error(`${what} of ${this.#length} bytes at ${this.#offset} failed: ${text}`);
    return error instanceof SystemError ? (NBD_ERRORS[error.errno] ?? NbdError.Io) : NbdError.Io;
  }

  /** Completes the reply at `place`, whose data, if any, is already behind it. */
  #reply(connection: Connection, place: number, error: number, dataBytes: number): void {
    const { view } = connection.output;
    view.setUint32(place + SIMPLE_REPLY.magic, SIMPLE_REPLY_MAGIC);
    view.setUint32(place + SIMPLE_REPLY.error, error);
    view.setUint32(place + SIMPLE_REPLY.cookie, this.#cookieHigh);
    view.setUint32(place + SIMPLE_REPLY.cookie + 4, this.#cookieLow);
    connection.commit(SIMPLE_REPLY.size + dataBytes);
  }

  /** Whether parked requests wait to be answered. */
  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /** Answers the parked requests whose turn has come; whether any was. */
  answerReady(): boolean {
    if (this.#ready.length === 0) return false;
    const ready = this.#ready;
    this.#ready = [];
    for (const parked of ready) this.#resume(parked);
    return this.#ready.length < ready.length;
  }

  #resume(parked: ParkedRequest): void {
    const { connection, error } = parked;
    if (connection.broken) return;
    const isRead = parked.command === Command.Read;
    const place = connection.reserve(SIMPLE_REPLY.size + (isRead ? parked.length : 0));
    if (place < 0) {
      this.#ready.push(parked);
      return;
    }
    connection.waiting--;
    this.#recall(parked);
    if (!isRead) {
      this.#reply(connection, place, error === 0 ? NbdError.None : NbdError.Io, 0);
      return;
    }
    this.#access.setMayBlock(parked.isStuck || parked.attempts > this.#maxAttempts);
    parked.file?.setWarm(parked.hostOffset, Math.min(parked.hostBytes, SLOW_READ_MAX_BYTES));
    this.#read(connection, place, parked);
    parked.file?.setWarm(0, 0);
    this.#access.setMayBlock(false);
  }

  #recall(parked: ParkedRequest): void {
    this.#command = parked.command;
    this.#cookieHigh = parked.cookieHigh;
    this.#cookieLow = parked.cookieLow;
    this.#offset = parked.offset;
    this.#length = parked.length;
  }
}

function endRequests(connection: Connection): boolean {
  connection.finishing = true;
  connection.take(connection.pendingInput);
  return true;
}
