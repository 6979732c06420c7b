/**
 * A FUSE session: takes requests from /dev/fuse and answers them. It has one file, the virtual disk.
 *
 * Each read(2) brings one request and each write(2) takes one reply: there is nothing to gather.
 *
 * @module
 */
import type { Channel } from "../loop/channel.ts";
import type { Executor } from "../loop/executor.ts";
import { EAGAIN, EINTR, ENOENT } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer, uint64 } from "../sys/memory.ts";
import { POLLIN } from "../sys/poll.ts";
import type { DiskContent } from "./disk_content.ts";
import { DiskRequests } from "./disk_requests.ts";
import type { FuseTree } from "./fuse_tree.ts";
import { NodeRequests } from "./node_requests.ts";
import { IN_HEADER, MAX_IO_BYTES, Opcode } from "./protocol.ts";
import { Replies } from "./replies.ts";

/** Requests taken in one turn, before other channels get theirs. */
const REQUESTS_PER_TURN = 32;
/** The kernel wants room for its longest write, and a header, before it hands anything out. */
const INPUT_BYTES = MAX_IO_BYTES + 4096;

/** The file of a session: where it lies, and what it consists of. */
export interface FuseFileShown {
  readonly tree: FuseTree;
  readonly content: DiskContent;
}

/** One descriptor of a session; the kernel hands each request to just one of them. */
export class FuseChannel implements Channel {
  idleTurns = 0;
  readonly deadlineMs = Infinity;
  readonly fd: number;
  readonly #tree: FuseTree;
  readonly #libc = libc();
  readonly #input = IoBuffer.ofMessages(INPUT_BYTES);
  readonly #replies: Replies;
  readonly #nodes: NodeRequests;
  readonly #disk: DiskRequests;
  /** Whether pages of the input may be missing. */
  #isReleased = true;
  readonly #buffers: { readonly input: IoBuffer; readonly output: IoBuffer };

  /** @param fd a non-blocking descriptor of /dev/fuse */
  constructor(fd: number, executor: Executor, { tree, content }: FuseFileShown) {
    this.fd = fd;
    this.#tree = tree;
    this.#replies = new Replies(fd);
    this.#nodes = new NodeRequests(tree, content);
    const session = { content, input: this.#input, replies: this.#replies };
    this.#disk = new DiskRequests(executor, session);
    this.#buffers = { input: this.#input, output: this.#replies.output };
  }

  get events(): number {
    return this.#disk.isGone || this.#disk.isHeld ? 0 : POLLIN;
  }

  get isOver(): boolean {
    return this.#disk.isGone && this.#disk.waiting === 0;
  }

  serve(): boolean {
    let taken = 0;
    while (taken < REQUESTS_PER_TURN && (this.#takeHeld() || this.#receive())) {
      this.#execute();
      if (this.#disk.isHeld) break;
      taken++;
    }
    this.send();
    return taken > 0;
  }

  /** Whether there is a request at hand that is to be tried again. */
  #takeHeld(): boolean {
    const { isHeld } = this.#disk;
    this.#disk.isHeld = false;
    return isHeld;
  }

  /** Takes the next request, without waiting. The end of the file system is an error (ENODEV). */
  #receive(): boolean {
    if (this.#disk.isGone) return false;
    this.#havePages();
    let count = this.#receiveOnce();
    // Said twice: see lastErrno().
    if (count < 0 && !isPassing(lastErrno())) count = this.#receiveOnce();
    if (count < IN_HEADER.size) {
      if (count >= 0 || !isPassing(lastErrno())) this.finish();
      return false;
    }
    return true;
  }

  /**
   * A process that is killed while the kernel makes a page for what it hands out has that request fail, where
   * another process would answer it (fuse_dev_do_read(), fs/fuse/dev.c: EIO).
   */
  #havePages(): void {
    if (!this.#isReleased) return;
    this.#isReleased = false;
    this.#input.populatePages();
  }

  #receiveOnce(): number {
    const { address, size } = this.#input;
    return this.#libc.read(this.fd, address, size);
  }

  #execute(): void {
    const disk = this.#disk;
    disk.request.parse(this.#input.view);
    switch (disk.request.opcode) {
      case Opcode.Read:
        return disk.read();
      case Opcode.Write:
        return disk.write();
      case Opcode.Fsync:
        return disk.flush();
      case Opcode.Fallocate:
        return disk.allocate();
      case Opcode.Lseek:
        return disk.seek();
      case Opcode.Forget:
      case Opcode.BatchForget:
      case Opcode.Interrupt:
        // These have no reply; what is interrupted gets its own, soon.
        return;
      default:
        return this.#answer();
    }
  }

  /** Answers a request about the tree of files. */
  #answer(): void {
    const { request } = this.#disk;
    const node = uint64(this.#input.view, IN_HEADER.nodeId);
    this.#replies.send(request, this.#nodes.answer(request.opcode, node, this.#buffers));
  }

  send(): void {
    this.#replies.complete();
  }

  sizeChanged(): void {
    this.#replies.invalidateAttributes(this.#tree.diskNode);
  }

  finish(): void {
    this.#disk.isGone = true;
  }

  releaseMemory(): void {
    this.#input.releasePages();
    this.#isReleased = true;
    this.#replies.output.releasePages();
  }

  close(): void {
    this.#replies[Symbol.dispose]();
    this.#libc.close(this.fd);
  }
}

/** ENOENT: the request was given up before it could be read. */
function isPassing(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOENT;
}
