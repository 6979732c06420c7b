/**
 * A FUSE session: takes requests from /dev/fuse and answers them. It has one file, the virtual disk.
 *
 * Each read(2) brings one request and each write(2) takes one reply: there is nothing to gather.
 *
 * @module
 */
import { Change, ChangeKind } from "../disk/change.ts";
import { ReadRequest } from "../disk/reader.ts";
import { DiskSeek } from "../disk/seek.ts";
import { ChangeOutcome } from "../loop/changes.ts";
import type { Channel } from "../loop/channel.ts";
import type { Executor } from "../loop/executor.ts";
import { ParkedRequest, type RequestOwner } from "../loop/parked_request.ts";
import {
  EAGAIN,
  EFBIG,
  EINTR,
  EINVAL,
  EIO,
  ENOENT,
  ENXIO,
  EOPNOTSUPP,
  EROFS,
} from "../sys/errno.ts";
import { DeferredWork } from "../sys/deferred_work.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer, setUint64, uint64 } from "../sys/memory.ts";
import { POLLIN } from "../sys/poll.ts";
import type { FuseTree } from "./fuse_tree.ts";
import { NodeRequests } from "./node_requests.ts";
import {
  FALLOCATE_IN,
  FallocateMode,
  IN_HEADER,
  IO_IN,
  LSEEK_IN,
  LSEEK_OUT,
  MAX_IO_BYTES,
  NOTIFY_INVAL_INODE,
  Opcode,
  OUT_HEADER,
  Whence,
  WRITE_OUT,
} from "./protocol.ts";

/** Requests taken in one turn, before other channels get theirs. */
const REQUESTS_PER_TURN = 32;
/** The kernel wants room for its longest write, and a header, before it hands anything out. */
const INPUT_BYTES = MAX_IO_BYTES + 4096;

/** One descriptor of a session; the kernel hands each request to just one of them. */
export class FuseChannel implements Channel, RequestOwner {
  idleTurns = 0;
  readonly deadlineMs = Infinity;
  readonly fd: number;
  readonly #executor: Executor;
  readonly #tree: FuseTree;
  readonly #nodes: NodeRequests;
  readonly #libc = libc();
  readonly #input = IoBuffer.ofMessages(INPUT_BYTES);
  readonly #output = IoBuffer.ofMessages(OUT_HEADER.size + MAX_IO_BYTES);
  readonly #buffers = { input: this.#input, output: this.#output };
  readonly #deferred = new DeferredWork();
  /** Whether the kernel has got answers that it may not have passed on yet. */
  #hasAnswered = false;
  /** Requests that are not answered yet. */
  #waiting = 0;
  #ended = false;
  /** Whether the request at hand is a write that there was no room for: it is tried again. */
  #isHeld = false;

  // The request at hand. What it is known by goes back as it came, in two halves.
  #opcode = 0;
  #uniqueHigh = 0;
  #uniqueLow = 0;
  #offset = 0;
  #length = 0;
  readonly #reading = new ReadRequest();
  readonly #change = new Change();
  readonly #seek = new DiskSeek();

  /** @param fd a non-blocking descriptor of /dev/fuse */
  constructor(fd: number, executor: Executor, tree: FuseTree) {
    this.fd = fd;
    this.#executor = executor;
    this.#tree = tree;
    this.#nodes = new NodeRequests(tree, executor.access);
  }

  get events(): number {
    return this.#ended || this.#isHeld ? 0 : POLLIN;
  }

  get isOver(): boolean {
    return this.#ended && this.#waiting === 0;
  }

  get isGone(): boolean {
    return this.#ended;
  }

  serve(): boolean {
    let taken = 0;
    while (taken < REQUESTS_PER_TURN && (this.#takeHeld() || this.#receive())) {
      this.#execute();
      if (this.#isHeld) break;
      taken++;
    }
    this.send();
    return taken > 0;
  }

  /** Whether there is a request at hand that is to be tried again. */
  #takeHeld(): boolean {
    const isHeld = this.#isHeld;
    this.#isHeld = false;
    return isHeld;
  }

  /** Takes the next request, without waiting. The end of the file system is an error (ENODEV). */
  #receive(): boolean {
    if (this.#ended) return false;
    const { address, size } = this.#input;
    const count = this.#libc.read(this.fd, address, size);
    if (count < IN_HEADER.size) {
      if (count >= 0 || !isPassing(lastErrno())) this.#ended = true;
      return false;
    }
    return true;
  }

  #execute(): void {
    const { view } = this.#input;
    this.#opcode = view.getUint32(IN_HEADER.opcode, true);
    this.#uniqueLow = view.getUint32(IN_HEADER.unique, true);
    this.#uniqueHigh = view.getUint32(IN_HEADER.unique + 4, true);
    switch (this.#opcode) {
      case Opcode.Read:
        return this.#read();
      case Opcode.Write:
        return this.#write();
      case Opcode.Fsync:
        return this.#executor.flush(this.park());
      case Opcode.Fallocate:
        return this.#allocate();
      case Opcode.Lseek:
        return this.#beginSeek();
      case Opcode.Forget:
      case Opcode.BatchForget:
      case Opcode.Interrupt:
        // These have no reply; what is interrupted gets its own, soon.
        return;
      default:
        return this.#reply(this.#nodes.answer(this.#opcode, this.#node(), this.#buffers));
    }
  }

  #node(): number {
    return uint64(this.#input.view, IN_HEADER.nodeId);
  }

  /** The range of a read or write, of which only the part inside the disk counts. */
  #parseRange(): void {
    const { view } = this.#input;
    const { sizeBytes } = this.#executor.access;
    this.#offset = uint64(view, IN_HEADER.size + IO_IN.offset);
    const asked = view.getUint32(IN_HEADER.size + IO_IN.length, true);
    this.#length = Math.max(0, Math.min(asked, MAX_IO_BYTES, sizeBytes - this.#offset));
  }

  #read(): void {
    this.#parseRange();
    const { attempt } = this.#reading;
    this.#executor.waits.prepare(attempt, "among others");
    if (!this.#readNow()) this.#executor.park(this.park(), attempt);
  }

  /** Answers a read; false if it has to wait. */
  #readNow(): boolean {
    const reading = this.#reading.ask(this.#offset, this.#length);
    try {
      const done = this.#executor.access.read(reading.into(this.#output, OUT_HEADER.size));
      if (done) this.#reply(this.#length);
      return done;
    } catch (error) {
      this.#reply(-this.#failure("read", error));
      return true;
    }
  }

  park(): ParkedRequest {
    this.#waiting++;
    return new ParkedRequest({
      owner: this,
      command: this.#opcode,
      tagHigh: this.#uniqueHigh,
      tagLow: this.#uniqueLow,
      offset: this.#offset,
      length: this.#length,
    });
  }

  #write(): void {
    const asked = this.#input.view.getUint32(IN_HEADER.size + IO_IN.length, true);
    this.#parseRange();
    if (this.#executor.access.readOnly) return this.#reply(-EROFS);
    if (this.#length < asked) return this.#reply(-EFBIG);
    const change = this.#change.ask(ChangeKind.Write, this.#offset, this.#length);
    this.#make(change.from(this.#input, IN_HEADER.size + IO_IN.size));
  }

  /** Discards and writes of zeros: in a file, both are holes. */
  #allocate(): void {
    const { view } = this.#input;
    const { access } = this.#executor;
    this.#offset = uint64(view, IN_HEADER.size + FALLOCATE_IN.offset);
    this.#length = uint64(view, IN_HEADER.size + FALLOCATE_IN.length);
    const mode = view.getUint32(IN_HEADER.size + FALLOCATE_IN.mode, true);
    const kind = mode & ~FallocateMode.KeepSize;
    if (access.readOnly) return this.#reply(-EROFS);
    if (kind !== FallocateMode.PunchHole && kind !== FallocateMode.ZeroRange) {
      return this.#reply(-EOPNOTSUPP);
    }
    if (this.#offset + this.#length > access.sizeBytes) return this.#reply(-EFBIG);
    const change = this.#change.ask(ChangeKind.WriteZeroes, this.#offset, this.#length);
    change.source = undefined;
    change.keepAllocated = kind === FallocateMode.ZeroRange;
    change.onlyIfFast = true;
    this.#make(change);
  }

  #make(change: Change): void {
    const outcome = this.#executor.change(change, this);
    if (outcome === ChangeOutcome.NoRoom) this.#isHeld = true;
    else if (outcome !== ChangeOutcome.Parked) this.#replyToChange(outcome);
  }

  /** A write is answered with how much has been written, all other changes with success alone. */
  #replyToChange(errno: number): void {
    if (errno !== 0) return this.#reply(-errno);
    if (this.#opcode !== Opcode.Write) return this.#reply(0);
    this.#output.view.setUint32(OUT_HEADER.size + WRITE_OUT.length, this.#length, true);
    this.#output.view.setUint32(OUT_HEADER.size + WRITE_OUT.padding, 0, true);
    this.#reply(WRITE_OUT.size);
  }

  #beginSeek(): void {
    const { view } = this.#input;
    this.#offset = uint64(view, IN_HEADER.size + LSEEK_IN.offset);
    const whence = view.getUint32(IN_HEADER.size + LSEEK_IN.whence, true);
    if (whence !== Whence.Data && whence !== Whence.Hole) return this.#reply(-EINVAL);
    if (this.#offset >= this.#executor.access.sizeBytes) return this.#reply(-ENXIO);
    this.#length = whence;
    this.#executor.waits.prepare(this.#seek.attempt, "among others");
    this.#goOnSeeking(this.#offset, undefined);
  }

  /** Goes on with a search at `offset`; it is parked, or parked again, until it is over. */
  #goOnSeeking(offset: number, parked: ParkedRequest | undefined): boolean {
    const seek = this.#seek;
    seek.offset = offset;
    seek.wantsHole = this.#length === Whence.Hole;
    try {
      const outcome = seek.step(this.#executor.access);
      if (outcome === "found") return this.#replyToSeek(seek.offset);
      const waiting = parked ?? this.park();
      waiting.progress = seek.offset;
      if (outcome === "blocked") this.#executor.park(waiting, seek.attempt);
      else this.#executor.postpone(waiting);
      return false;
    } catch (error) {
      this.#reply(-this.#failure("lseek", error));
      return true;
    }
  }

  #replyToSeek(found: number): true {
    setUint64(this.#output.view, OUT_HEADER.size + LSEEK_OUT.offset, Math.max(0, found));
    this.#reply(found < 0 ? -ENXIO : LSEEK_OUT.size);
    return true;
  }

  #failure(what: string, error: unknown): number {
    return this.#executor.failure({ what, offset: this.#offset, lengthBytes: this.#length }, error);
  }

  /** Sends a reply whose body of `result` bytes is in place, or the error `-result`. */
  #reply(result: number): void {
    const { address, view } = this.#output;
    const length = OUT_HEADER.size + Math.max(0, result);
    view.setUint32(OUT_HEADER.length, length, true);
    view.setInt32(OUT_HEADER.error, Math.min(0, result), true);
    view.setUint32(OUT_HEADER.unique, this.#uniqueLow, true);
    view.setUint32(OUT_HEADER.unique + 4, this.#uniqueHigh, true);
    // A failure means that nobody waits for the reply any more.
    this.#libc.write(this.fd, address, length);
    this.#hasAnswered = true;
  }

  resume(parked: ParkedRequest): boolean {
    this.#opcode = parked.command;
    this.#uniqueHigh = parked.tagHigh;
    this.#uniqueLow = parked.tagLow;
    this.#offset = parked.offset;
    this.#length = parked.length;
    if (this.#resumed(parked)) this.#waiting--;
    return true;
  }

  /** False if the request has to wait once more. */
  #resumed(parked: ParkedRequest): boolean {
    switch (parked.command) {
      case Opcode.Read:
        this.#executor.waits.prepareAgain(this.#reading.attempt, parked);
        return this.#readNow() || this.#parkAgain(parked);
      case Opcode.Lseek:
        this.#executor.waits.prepareAgain(this.#seek.attempt, parked);
        return this.#goOnSeeking(parked.progress, parked);
      case Opcode.Fsync:
        this.#reply(parked.error === 0 ? 0 : -EIO);
        return true;
      default:
        this.#replyToChange(parked.error);
        return true;
    }
  }

  #parkAgain(parked: ParkedRequest): false {
    this.#executor.park(parked, this.#reading.attempt);
    return false;
  }

  /** Each reply is sent at once, but what it completes in the block layer may have been put off. */
  send(): void {
    if (!this.#hasAnswered) return;
    this.#hasAnswered = false;
    this.#deferred.runNow();
  }

  /**
   * Has the kernel forget the attributes of the disk's file. A negative offset leaves cached pages
   * alone: to drop those the kernel might have to wait for this very thread.
   */
  sizeChanged(): void {
    const message = new IoBuffer(OUT_HEADER.size + NOTIFY_INVAL_INODE.size);
    const { view } = message;
    view.setUint32(OUT_HEADER.length, message.size, true);
    view.setInt32(OUT_HEADER.error, NOTIFY_INVAL_INODE.code, true);
    setUint64(view, OUT_HEADER.size + NOTIFY_INVAL_INODE.inode, this.#tree.diskNode);
    view.setBigInt64(OUT_HEADER.size + NOTIFY_INVAL_INODE.offset, -1n, true);
    this.#libc.write(this.fd, message.address, message.size);
  }

  finish(): void {
    this.#ended = true;
  }

  releaseMemory(): void {
    this.#input.releasePages();
    this.#output.releasePages();
  }

  close(): void {
    this.#deferred[Symbol.dispose]();
    this.#libc.close(this.fd);
  }
}

/** ENOENT: the request was given up before it could be read. */
function isPassing(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOENT;
}
