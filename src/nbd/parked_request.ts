/**
 * A request that waits for a disk: only what is needed to answer it later, no buffer.
 *
 * @module
 */
import type { ImageFile } from "../image/image_file.ts";
import type { SlowTask } from "../sys/slow_lane.ts";
import type { Connection } from "./connection.ts";

export interface ParkedFields {
  readonly connection: Connection;
  /** {@link Command} of the protocol. */
  readonly command: number;
  /** The two halves of the cookie. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly offset: number;
  readonly length: number;
  /** Called when the request can be answered. */
  readonly onReady: (parked: ParkedRequest) => void;
}

export class ParkedRequest implements SlowTask {
  readonly connection: Connection;
  readonly command: number;
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly offset: number;
  readonly length: number;
  /** What came of the wait; 0 if all is well. */
  error = 0;
  /** How often it has been parked. */
  attempts = 0;
  /** Whether the wait was for what had just been waited for: the page cache is short of room. */
  isStuck = false;
  /** The file range it waits for. */
  file: ImageFile | undefined = undefined;
  hostOffset = -1;
  hostBytes = 0;

  readonly #onReady: (parked: ParkedRequest) => void;

  constructor(fields: ParkedFields) {
    this.connection = fields.connection;
    this.command = fields.command;
    this.cookieHigh = fields.cookieHigh;
    this.cookieLow = fields.cookieLow;
    this.offset = fields.offset;
    this.length = fields.length;
    this.#onReady = fields.onReady;
  }

  waitsFor(file: ImageFile, hostOffset: number, hostBytes: number): void {
    this.isStuck = this.file === file && this.hostOffset === hostOffset;
    this.attempts++;
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
  }

  finished(errno: number): void {
    this.error = errno;
    this.#onReady(this);
  }
}
