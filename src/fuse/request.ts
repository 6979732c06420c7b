/**
 * The request at hand; one record serves a channel for all its life.
 *
 * @module
 */
import { ParkedRequest, type RequestOwner } from "../loop/parked_request.ts";
import { uint64 } from "../sys/memory.ts";
import { IN_HEADER, IO_IN, MAX_IO_BYTES } from "./protocol.ts";

export class Request {
  opcode = 0;
  /** What it is known by goes back as it came, in two halves. */
  uniqueHigh = 0;
  uniqueLow = 0;
  offset = 0;
  length = 0;

  /** Takes the header of a request. */
  parse(view: DataView): void {
    this.opcode = view.getUint32(IN_HEADER.opcode, true);
    this.uniqueLow = view.getUint32(IN_HEADER.unique, true);
    this.uniqueHigh = view.getUint32(IN_HEADER.unique + 4, true);
  }

  /**
   * Takes the range of a read or a write, of which only the part inside the disk counts.
   *
   * @returns the length that was asked for
   */
  parseRange(view: DataView, diskBytes: number): number {
    this.offset = uint64(view, IN_HEADER.size + IO_IN.offset);
    const asked = view.getUint32(IN_HEADER.size + IO_IN.length, true);
    this.length = Math.max(0, Math.min(asked, MAX_IO_BYTES, diskBytes - this.offset));
    return asked;
  }

  /** What is needed to answer it later. */
  parked(owner: RequestOwner): ParkedRequest {
    return new ParkedRequest({
      owner,
      command: this.opcode,
      tagHigh: this.uniqueHigh,
      tagLow: this.uniqueLow,
      offset: this.offset,
      length: this.length,
    });
  }

  /** Takes what {@link Request.parked} has put away. */
  recall(parked: ParkedRequest): void {
    this.opcode = parked.command;
    this.uniqueHigh = parked.tagHigh;
    this.uniqueLow = parked.tagLow;
    this.offset = parked.offset;
    this.length = parked.length;
  }
}
