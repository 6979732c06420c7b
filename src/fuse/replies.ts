/**
 * What a session tells the kernel: each write(2) takes one message.
 *
 * @module
 */
import { DeferredWork } from "../sys/deferred_work.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer, setUint64 } from "../sys/memory.ts";
import { MAX_IO_BYTES, NOTIFY_INVAL_INODE, OUT_HEADER } from "./protocol.ts";
import type { Request } from "./request.ts";

export class Replies implements Disposable {
  /** Bodies of replies are put here, behind the place of the header. */
  readonly output = IoBuffer.ofMessages(OUT_HEADER.size + MAX_IO_BYTES);
  readonly #fd: number;
  readonly #libc = libc();
  readonly #deferred = new DeferredWork();
  /** Whether the kernel has got answers that it may not have passed on yet. */
  #hasAnswered = false;

  /** @param fd of the session; not closed with this */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Answers with a body of `result` bytes, which is in place, or with the error `-result`. */
  send({ uniqueLow, uniqueHigh }: Request, result: number): void {
    const { address, view } = this.output;
    const length = OUT_HEADER.size + Math.max(0, result);
    view.setUint32(OUT_HEADER.length, length, true);
    view.setInt32(OUT_HEADER.error, Math.min(0, result), true);
    view.setUint32(OUT_HEADER.unique, uniqueLow, true);
    view.setUint32(OUT_HEADER.unique + 4, uniqueHigh, true);
    // A failure means that nobody waits for the reply any more.
    this.#libc.write(this.#fd, address, length);
    this.#hasAnswered = true;
  }

  /** Each reply is sent at once, but what it completes in the block layer may have been put off. */
  complete(): void {
    if (!this.#hasAnswered) return;
    this.#hasAnswered = false;
    this.#deferred.runNow();
  }

  /**
   * Has the kernel forget the attributes of a file. A negative offset leaves cached pages alone: to
   * drop those the kernel might have to wait for this very thread.
   */
  invalidateAttributes(node: number): void {
    const message = new IoBuffer(OUT_HEADER.size + NOTIFY_INVAL_INODE.size);
    const { view } = message;
    view.setUint32(OUT_HEADER.length, message.size, true);
    view.setInt32(OUT_HEADER.error, NOTIFY_INVAL_INODE.code, true);
    setUint64(view, OUT_HEADER.size + NOTIFY_INVAL_INODE.inode, node);
    view.setBigInt64(OUT_HEADER.size + NOTIFY_INVAL_INODE.offset, -1n, true);
    this.#libc.write(this.#fd, message.address, message.size);
  }

  [Symbol.dispose](): void {
    this.#deferred[Symbol.dispose]();
  }
}
