/**
 * Takes the commands of a daemon's user, one for each connection. A thread that serves is not kept from
 * that by somebody who connects and says nothing.
 *
 * @module
 */
import type { Server } from "../../serve/server.ts";
import { lastErrno, libc } from "../../sys/libc.ts";
import { EAGAIN, EINTR } from "../../sys/errno.ts";
import type { Fd } from "../../sys/files.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { reasonOf } from "../../sys/reason.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../../sys/sockets.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  decodeRequest,
  encodeMessage,
  MAX_REQUEST_BYTES,
} from "./messages.ts";

/** Does what is asked for, and has the answer sent once that is known. */
export type Obey = (request: ControlRequest, answer: (answer: ControlAnswer) => void) => void;

/** So many may be connected at once; a further one is hung up on. */
const MAX_CONNECTIONS = 8;
const LINE_FEED = 10;

export class ControlServer {
  readonly #server: Server;
  readonly #obey: Obey;
  #connections = 0;

  /** Takes commands on a listening socket, as long as `server` serves. */
  constructor(listener: Fd, server: Server, obey: Obey) {
    this.#server = server;
    this.#obey = obey;
    server.accept(listener, (fd) => this.#takeIn(fd));
  }

  #takeIn(fd: number): void {
    if (this.#connections === MAX_CONNECTIONS) return void libc().close(fd);
    this.#connections++;
    const line = new IncomingLine();
    this.#server.watch(fd, () => {
      if (line.receive(fd)) this.#end(fd, line.text);
    });
  }

  /** A request has come whole, or nothing more will come. */
  #end(fd: number, text: string | undefined): void {
    this.#server.unwatch(fd);
    const send = (answer: ControlAnswer): void => {
      sendText(fd, encodeMessage(answer));
      libc().close(fd);
      this.#connections--;
    };
    if (text === undefined) return send({ ok: false, message: "there was no command" });
    try {
      this.#obey(decodeRequest(text), send);
    } catch (error) {
      send({ ok: false, message: reasonOf(error) });
    }
  }
}

/** A line that comes in pieces. */
class IncomingLine {
  readonly #buffer = new IoBuffer(MAX_REQUEST_BYTES);
  #bytes = 0;

  /** Takes what has come; whether that is all. */
  receive(fd: number): boolean {
    for (;;) {
      const room = this.#buffer.size - this.#bytes;
      if (room === 0) return true;
      const at = this.#buffer.address + this.#bytes;
      const count = libc().recv(fd, at, room, MSG_DONTWAIT);
      if (count < 0 && lastErrno() === EINTR) continue;
      if (count < 0 && lastErrno() === EAGAIN) return false;
      if (count <= 0) return true;
      this.#bytes += Number(count);
      if (this.text !== undefined) return true;
    }
  }

  /** Undefined if it has not come whole. */
  get text(): string | undefined {
    const received = this.#buffer.bytes.subarray(0, this.#bytes);
    const end = received.indexOf(LINE_FEED);
    return end < 0 ? undefined : new TextDecoder().decode(received.slice(0, end));
  }
}

/** It is short: there is room for it, or else nobody who would read it. */
function sendText(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const buffer = new IoBuffer(bytes.length);
  buffer.bytes.set(bytes);
  libc().send(fd, buffer.address, buffer.size, MSG_DONTWAIT | MSG_NOSIGNAL);
}
