/**
 * The transmission phase: takes requests out of a connection's input, has them executed, and puts the
 * replies into its output.
 *
 * A request that need not wait for a disk is answered at once. Any other is parked, and answered when
 * it has been executed: so replies may come in another order than the requests.
 *
 * @module
 */
import { Change, ChangeKind } from "../disk/change.ts";
import { Run } from "../disk/runs.ts";
import { ReadRequest } from "../disk/reader.ts";
import { ChangeOutcome } from "../loop/changes.ts";
import type { Attempt } from "../storage/attempt.ts";
import { EDQUOT, EFBIG, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM, EROFS } from "../sys/errno.ts";
import type { Connection } from "./connection.ts";
import type { Executor } from "../loop/executor.ts";
import type { Company } from "../loop/waits.ts";
import type { ParkedRequest, RequestOwner } from "../loop/parked_request.ts";
import { BLOCK_STATUS_BYTES, BlockStatus } from "./block_status.ts";
import { Command, CommandFlag, MAX_PAYLOAD_BYTES, NbdError, REQUEST } from "./protocol.ts";
import { type Replies, SIMPLE_REPLIES, STRUCTURED_REPLIES } from "./replies.ts";
import { Request } from "./request.ts";

/** Replies are sent when this much is waiting, so that the client can begin to work on them. */
const SEND_AT_BYTES = 256 * 1024;
/** A read of zeros is at least so long where they are not sent: a reply without them is no longer. */
const SHORTEST_HOLE_BYTES = 512;
/** Commands that may change the disk, and flushes, with the flags each may have. */
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
  [EOPNOTSUPP]: NbdError.NotSup,
};

/** What commands do to the disk. */
const CHANGE_KINDS: Readonly<Record<number, ChangeKind>> = {
  [Command.Write]: ChangeKind.Write,
  [Command.Trim]: ChangeKind.Discard,
  [Command.WriteZeroes]: ChangeKind.WriteZeroes,
};

/** What a client has asked for in the handshake. */
export interface Negotiated {
  /** Whether replies are structured. */
  readonly structured: boolean;
  /** Whether it may ask for block status. */
  readonly blockStatus: boolean;
}

/** Takes the requests of one connection and answers them. */
export class Transmission implements RequestOwner {
  readonly #connection: Connection;
  readonly #executor: Executor;
  /** The request at hand. */
  readonly #request = new Request();
  readonly #reading = new ReadRequest();
  readonly #change = new Change();
  readonly #statusRun = new Run();
  #replies: Replies = SIMPLE_REPLIES;
  #readFlags: number = CommandFlag.Fua;
  /** Undefined if the client may not ask. */
  #blockStatus: BlockStatus | undefined;

  constructor(connection: Connection, executor: Executor) {
    this.#connection = connection;
    this.#executor = executor;
  }

  /** Answers as the client wants it, from now on. */
  negotiated({ structured, blockStatus }: Negotiated): void {
    this.#replies = structured ? STRUCTURED_REPLIES : SIMPLE_REPLIES;
    this.#readFlags = CommandFlag.Fua | (structured ? CommandFlag.DontFragment : 0);
    this.#blockStatus = structured && blockStatus
      ? new BlockStatus(this.#executor.access, this.#statusRun)
      : undefined;
  }

  /** Takes every request that has arrived, as far as there is room for replies. */
  serve(): void {
    const connection = this.#connection;
    while (connection.takesInput && !connection.broken) {
      if (!this.#takeRequest(connection)) return;
      if (connection.output.pending >= SEND_AT_BYTES) connection.send();
    }
  }

  /** False if the next request has not arrived as a whole, or there is no room for its reply. */
  #takeRequest(connection: Connection): boolean {
    const arrived = connection.input.pending;
    if (arrived < REQUEST.size) {
      connection.expect(REQUEST.size);
      return false;
    }
    if (!this.#request.parse(connection.input.buffer.view, connection.input.start)) {
      // What follows cannot be understood: there is no way to go on with this client.
      connection.broken = true;
      return false;
    }
    const { command } = this.#request;
    if (command === Command.Write) return this.#takeWrite(connection, arrived);
    if (command === Command.Read) return this.#takeRead(connection);
    if (command === Command.Disconnect) return endRequests(connection);
    if (command === Command.BlockStatus) return this.#takeBlockStatus(connection);
    return this.#takeChange(connection, REQUEST.size);
  }

  #takeRead(connection: Connection): boolean {
    const refusal = this.#refusalOfRead();
    const dataBytes = refusal === NbdError.None ? this.#request.length : 0;
    const place = connection.reserve(this.#replies.dataStart + dataBytes);
    if (place < 0) return false;
    if (refusal === NbdError.None) this.#read(connection, place);
    else this.#reply(place, refusal);
    connection.input.take(REQUEST.size);
    return true;
  }

  #refusalOfRead(): number {
    const { flags, length } = this.#request;
    if ((flags & ~this.#readFlags) !== 0) return NbdError.Inval;
    if (length > MAX_PAYLOAD_BYTES) return NbdError.Inval;
    return this.#isInside() ? NbdError.None : NbdError.Inval;
  }

  #isInside(): boolean {
    return this.#request.offset + this.#request.length <= this.#executor.access.sizeBytes;
  }

  /** Answers a read from `place` on, or parks it. */
  #read(connection: Connection, place: number): void {
    const { attempt } = this.#reading;
    this.#executor.waits.prepare(attempt, this.#company(connection, REQUEST.size));
    if (!this.#readAt(place)) this.#executor.park(this.park(), attempt);
  }

  /** Whether others have come behind a request of so many bytes. */
  #company({ input }: Connection, bytes: number): Company {
    return input.pending === bytes ? "alone" : "among others";
  }

  /** Answers a read from `place` on; false if it has to wait. */
  #readAt(place: number): boolean {
    const { offset, length } = this.#request;
    const reading = this.#reading.ask(offset, length);
    reading.mayOmitZeros = this.#replies.hole !== undefined && length >= SHORTEST_HOLE_BYTES;
    try {
      const dataAt = place + this.#replies.dataStart;
      const done = this.#executor.access.read(reading.into(this.#connection.output.buffer, dataAt));
      if (done) this.#replyWithData(place);
      return done;
    } catch (error) {
      this.#reply(place, this.#failure("read", error));
      return true;
    }
  }

  park(): ParkedRequest {
    this.#connection.waiting++;
    return this.#request.parked(this);
  }

  get isGone(): boolean {
    return this.#connection.broken || this.#connection.peerGone;
  }

  #takeBlockStatus(connection: Connection): boolean {
    const place = connection.reserve(BLOCK_STATUS_BYTES);
    if (place < 0) return false;
    const refusal = this.#refusalOfBlockStatus();
    if (refusal !== NbdError.None) this.#reply(place, refusal);
    else this.#status(connection, place);
    connection.input.take(REQUEST.size);
    return true;
  }

  #status(connection: Connection, place: number): void {
    const { attempt } = this.#statusRun;
    this.#executor.waits.prepare(attempt, this.#company(connection, REQUEST.size));
    if (!this.#replyWithStatus(place)) this.#executor.park(this.park(), attempt);
  }

  #refusalOfBlockStatus(): number {
    const { flags, length } = this.#request;
    if (this.#blockStatus === undefined) return NbdError.Inval;
    if ((flags & ~CommandFlag.RequestOne) !== 0 || length === 0) return NbdError.Inval;
    return this.#isInside() ? NbdError.None : NbdError.Inval;
  }

  /** False if it has to be parked. */
  #replyWithStatus(place: number): boolean {
    const connection = this.#connection;
    const { view } = connection.output.buffer;
    try {
      const bytes = this.#blockStatus?.reply(view, place, this.#request) ?? 0;
      connection.commit(bytes);
      return bytes > 0;
    } catch (error) {
      this.#reply(place, this.#failure("block status", error));
      return true;
    }
  }

  #takeWrite(connection: Connection, arrived: number): boolean {
    const whole = REQUEST.size + this.#request.length;
    if (arrived >= whole) return this.#takeChange(connection, whole);
    connection.expect(whole);
    return false;
  }

  /** Everything that may change the disk, and flushes; `bytes` is the length of the request. */
  #takeChange(connection: Connection, bytes: number): boolean {
    const place = connection.reserve(this.#replies.dataStart);
    if (place < 0) return false;
    const refusal = this.#refusalOfChange();
    if (refusal !== NbdError.None) {
      this.#reply(place, refusal);
    } else if (this.#request.command === Command.Flush) {
      this.#executor.flush(this.park());
    } else {
      const outcome = this.#executor.change(this.#changeAsked(connection), this);
      if (outcome === ChangeOutcome.NoRoom) {
        connection.starved = true;
        return false;
      }
      if (outcome !== ChangeOutcome.Parked) this.#reply(place, nbdError(outcome));
    }
    connection.input.take(bytes);
    return true;
  }

  #refusalOfChange(): number {
    const { command, flags } = this.#request;
    const allowed = CHANGE_FLAGS[command];
    if (allowed === undefined || (flags & ~allowed) !== 0) return NbdError.Inval;
    if (command === Command.Flush) return NbdError.None;
    if (this.#executor.access.readOnly) return NbdError.Perm;
    if (this.#isInside()) return NbdError.None;
    return command === Command.Trim ? NbdError.Inval : NbdError.NoSpc;
  }

  /** The request at hand as a change of the disk. */
  #changeAsked(connection: Connection): Change {
    const { command, flags, offset, length } = this.#request;
    const change = this.#change.ask(CHANGE_KINDS[command] ?? ChangeKind.Write, offset, length);
    change.source = undefined;
    change.mustBeDurable = (flags & CommandFlag.Fua) !== 0;
    change.keepAllocated = (flags & CommandFlag.NoHole) !== 0;
    change.onlyIfFast = (flags & CommandFlag.FastZero) !== 0;
    if (command !== Command.Write) return change;
    change.isAlone = this.#company(connection, REQUEST.size + length) === "alone";
    return change.from(connection.input.buffer, connection.input.start + REQUEST.size);
  }

  #failure(what: string, error: unknown): number {
    const { offset, length } = this.#request;
    return nbdError(this.#executor.failure({ what, offset, lengthBytes: length }, error));
  }

  /** Adds a reply without data. */
  #reply(place: number, error: number): void {
    const { view } = this.#connection.output.buffer;
    this.#connection.commit(this.#replies.status(view, place, this.#request, error));
  }

  /** Completes the reply to a read, whose data are already there, or are zeros. */
  #replyWithData(place: number): void {
    const { view } = this.#connection.output.buffer;
    const replies = this.#replies;
    const isHole = replies.hole !== undefined && this.#reading.hasOmittedZeros;
    const bytes = isHole
      ? replies.hole(view, place, this.#request)
      : replies.data(view, place, this.#request);
    this.#connection.commit(bytes);
  }

  resume(parked: ParkedRequest): boolean {
    const connection = this.#connection;
    if (connection.broken) return true;
    this.#request.recall(parked);
    const place = connection.reserve(this.#longestReply(parked));
    if (place < 0) return false;
    if (this.#resumeAt(place, parked)) connection.waiting--;
    return true;
  }

  #longestReply({ command, length }: ParkedRequest): number {
    if (command === Command.BlockStatus) return BLOCK_STATUS_BYTES;
    return this.#replies.dataStart + (command === Command.Read ? length : 0);
  }

  /** False if the request has to wait once more. */
  #resumeAt(place: number, parked: ParkedRequest): boolean {
    if (parked.command === Command.Read) {
      const { attempt } = this.#reading;
      this.#executor.waits.prepareAgain(attempt, parked);
      return this.#readAt(place) || this.#parkAgain(parked, attempt);
    }
    if (parked.command === Command.BlockStatus) {
      const { attempt } = this.#statusRun;
      this.#executor.waits.prepareAgain(attempt, parked);
      return this.#replyWithStatus(place) || this.#parkAgain(parked, attempt);
    }
    this.#reply(place, nbdError(parked.error));
    return true;
  }

  #parkAgain(parked: ParkedRequest, attempt: Attempt): false {
    this.#executor.park(parked, attempt);
    return false;
  }
}

/** What clients are told of an error number, or of its absence. */
function nbdError(errno: number): number {
  return errno === 0 ? NbdError.None : NBD_ERRORS[errno] ?? NbdError.Io;
}

function endRequests(connection: Connection): boolean {
  connection.finishing = true;
  connection.input.take(connection.input.pending);
  return true;
}
