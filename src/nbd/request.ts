/**
 * One request of the transmission phase, parsed; one record serves a connection for all its life.
 *
 * @module
 */
import { ParkedRequest, type RequestOwner } from "../loop/parked_request.ts";
import { Command, MAX_PAYLOAD_BYTES, REQUEST, REQUEST_MAGIC } from "./protocol.ts";

export class Request {
  flags = 0;
  command = 0;
  /** The cookie goes back as it came, in two halves. */
  cookieHigh = 0;
  cookieLow = 0;
  offset = 0;
  length = 0;

  /** Takes the request at `at`; false if what follows it in the stream cannot be understood. */
  parse(view: DataView, at: number): boolean {
    this.flags = view.getUint16(at + REQUEST.flags);
    this.command = view.getUint16(at + REQUEST.type);
    this.cookieHigh = view.getUint32(at + REQUEST.cookie);
    this.cookieLow = view.getUint32(at + REQUEST.cookie + 4);
    this.offset = view.getUint32(at + REQUEST.offset) * 2 ** 32 +
      view.getUint32(at + REQUEST.offset + 4);
    this.length = view.getUint32(at + REQUEST.length);
    const hasLostPayload = this.command === Command.Write && this.length > MAX_PAYLOAD_BYTES;
    return view.getUint32(at + REQUEST.magic) === REQUEST_MAGIC && !hasLostPayload;
  }

  /** What is needed to answer it later. */
  parked(owner: RequestOwner): ParkedRequest {
    return new ParkedRequest({
      owner,
      command: this.command,
      flags: this.flags,
      tagHigh: this.cookieHigh,
      tagLow: this.cookieLow,
      offset: this.offset,
      length: this.length,
    });
  }

  /** Takes what {@link Request.parked} has put away. */
  recall(parked: ParkedRequest): void {
    this.command = parked.command;
    this.flags = parked.flags;
    this.cookieHigh = parked.tagHigh;
    this.cookieLow = parked.tagLow;
    this.offset = parked.offset;
    this.length = parked.length;
  }
}
