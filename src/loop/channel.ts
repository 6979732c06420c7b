/**
 * One source of requests as the serve loop sees it, whatever protocol it speaks.
 *
 * @module
 */

export interface Channel {
  readonly fd: number;
  /** Turns of the loop since something came in; the loop sets it to 0 when poll() names the fd. */
  idleTurns: number;
  /** When it is to be served though nothing has come in, by the monotonic clock; Infinity for never. */
  readonly deadlineMs: number;
  /** Takes and answers what has come in, without waiting; whether anything had. */
  serve(): boolean;
  /** Sends what has been answered meanwhile, without waiting. */
  send(): void;
  /** POLL* events to wait for; 0 if only parked requests can get it any further. */
  readonly events: number;
  /** Whether it has ended and can be closed. */
  readonly isOver: boolean;
  /** Tells the other side that the disk has got another size, if the protocol can. */
  sizeChanged(): void;
  /** Gives back memory that it can do without until something comes in. */
  releaseMemory(): void;
  /** Ends it once everything that was taken has been answered. */
  finish(): void;
  close(): void;
}
