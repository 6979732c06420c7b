/**
 * FUSE requests about the content of the disk's file: has them executed, and answers them.
 *
 * @module
 */
import { Change, ChangeKind } from "../disk/change.ts";
import { ReadRequest } from "../disk/reader.ts";
import { DiskSeek } from "../disk/seek.ts";
import { ChangeOutcome } from "../loop/changes.ts";
import type { Executor } from "../loop/executor.ts";
import type { ParkedRequest, RequestOwner } from "../loop/parked_request.ts";
import { EFBIG, EINVAL, EIO, ENOSYS, ENXIO, EOPNOTSUPP, EROFS } from "../sys/errno.ts";
import { type IoBuffer, setUint64, uint64 } from "../sys/memory.ts";
import type { DiskContent } from "./disk_content.ts";
import {
  FALLOCATE_IN,
  FallocateMode,
  IN_HEADER,
  IO_IN,
  LSEEK_IN,
  LSEEK_OUT,
  Opcode,
  OUT_HEADER,
  Whence,
  WRITE_OUT,
} from "./protocol.ts";
import type { Replies } from "./replies.ts";
import { Request } from "./request.ts";

/** What requests are about, where they lie, and how they are answered. */
export interface DiskSession {
  readonly content: DiskContent;
  readonly input: IoBuffer;
  readonly replies: Replies;
}

/** Those of one channel. */
export class DiskRequests implements RequestOwner {
  /** The request at hand, whose header has been taken. */
  readonly request = new Request();
  /** Requests that are not answered yet. */
  waiting = 0;
  /** Whether the file system is no more. */
  isGone = false;
  /** Whether the request at hand is a write that there was no room for: it is to be tried again. */
  isHeld = false;
  readonly #executor: Executor;
  readonly #content: DiskContent;
  readonly #input: IoBuffer;
  readonly #replies: Replies;
  readonly #reading = new ReadRequest();
  readonly #change = new Change();
  readonly #seek = new DiskSeek();

  constructor(executor: Executor, { content, input, replies }: DiskSession) {
    this.#executor = executor;
    this.#content = content;
    this.#input = input;
    this.#replies = replies;
  }

  read(): void {
    this.request.parseRange(this.#input.view, this.#content.sizeBytes);
    const { attempt } = this.#reading;
    this.#executor.waits.prepare(attempt, "among others");
    if (!this.#readNow()) this.#executor.park(this.park(), attempt);
  }

  /** Answers a read; false if it has to wait. */
  #readNow(): boolean {
    const { offset, length } = this.request;
    const reading = this.#reading.ask(offset, length).into(this.#replies.output, OUT_HEADER.size);
    try {
      const done = this.#content.read(reading);
      if (done) this.#reply(length);
      return done;
    } catch (error) {
      this.#reply(-this.#failure("read", error));
      return true;
    }
  }

  write(): void {
    const { request } = this;
    const asked = request.parseRange(this.#input.view, this.#executor.access.sizeBytes);
    if (this.#content.readOnly) return this.#reply(-EROFS);
    if (request.length < asked) return this.#reply(-EFBIG);
    const change = this.#change.ask(ChangeKind.Write, request.offset, request.length);
    this.#make(change.from(this.#input, IN_HEADER.size + IO_IN.size));
  }

  /** Discards and writes of zeros: in a file, both are holes. */
  allocate(): void {
    const { request } = this;
    const { view } = this.#input;
    const { access } = this.#executor;
    request.offset = uint64(view, IN_HEADER.size + FALLOCATE_IN.offset);
    request.length = uint64(view, IN_HEADER.size + FALLOCATE_IN.length);
    const mode = view.getUint32(IN_HEADER.size + FALLOCATE_IN.mode, true);
    const kind = mode & ~FallocateMode.KeepSize;
    if (this.#content.readOnly) return this.#reply(-EROFS);
    if (kind !== FallocateMode.PunchHole && kind !== FallocateMode.ZeroRange) {
      return this.#reply(-EOPNOTSUPP);
    }
    if (request.offset + request.length > access.sizeBytes) return this.#reply(-EFBIG);
    const change = this.#change.ask(ChangeKind.WriteZeroes, request.offset, request.length);
    change.source = undefined;
    change.keepAllocated = kind === FallocateMode.ZeroRange;
    change.onlyIfFast = true;
    this.#make(change);
  }

  #make(change: Change): void {
    const outcome = this.#executor.change(change, this);
    if (outcome === ChangeOutcome.NoRoom) this.isHeld = true;
    else if (outcome !== ChangeOutcome.Parked) this.#replyToChange(outcome);
  }

  /** A write is answered with how much has been written, all other changes with success alone. */
  #replyToChange(errno: number): void {
    if (errno !== 0) return this.#reply(-errno);
    if (this.request.opcode !== Opcode.Write) return this.#reply(0);
    const { view } = this.#replies.output;
    view.setUint32(OUT_HEADER.size + WRITE_OUT.length, this.request.length, true);
    view.setUint32(OUT_HEADER.size + WRITE_OUT.padding, 0, true);
    this.#reply(WRITE_OUT.size);
  }

  flush(): void {
    this.#executor.flush(this.park());
  }

  seek(): void {
    const { request } = this;
    // The kernel does without, and never asks again: only a loop device has the file.
    if (this.#content.leadBytes !== undefined) return this.#reply(-ENOSYS);
    const { view } = this.#input;
    request.offset = uint64(view, IN_HEADER.size + LSEEK_IN.offset);
    const whence = view.getUint32(IN_HEADER.size + LSEEK_IN.whence, true);
    if (whence !== Whence.Data && whence !== Whence.Hole) return this.#reply(-EINVAL);
    if (request.offset >= this.#executor.access.sizeBytes) return this.#reply(-ENXIO);
    request.length = whence;
    this.#executor.waits.prepare(this.#seek.attempt, "among others");
    this.#goOnSeeking(request.offset, undefined);
  }

  /** Goes on with a search at `offset`; it is parked, or parked again, until it is over. */
  #goOnSeeking(offset: number, parked: ParkedRequest | undefined): boolean {
    const seek = this.#seek;
    seek.offset = offset;
    seek.wantsHole = this.request.length === Whence.Hole;
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
    const { view } = this.#replies.output;
    setUint64(view, OUT_HEADER.size + LSEEK_OUT.offset, Math.max(0, found));
    this.#reply(found < 0 ? -ENXIO : LSEEK_OUT.size);
    return true;
  }

  #reply(result: number): void {
    this.#replies.send(this.request, result);
  }

  #failure(what: string, error: unknown): number {
    const { offset, length } = this.request;
    const inDisk = offset - (this.#content.leadBytes ?? 0);
    return this.#executor.failure({ what, offset: inDisk, lengthBytes: length }, error);
  }

  park(): ParkedRequest {
    this.waiting++;
    return this.request.parked(this);
  }

  resume(parked: ParkedRequest): boolean {
    this.request.recall(parked);
    if (this.#resumed(parked)) this.waiting--;
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
}
