/**
 * The two ways to answer a request: simple replies, and the chunks of structured ones.
 *
 * Each method writes a reply to `view` at `place` and returns its size. The data of a read are
 * already where they belong, {@link Replies.dataStart} bytes behind `place`.
 *
 * @module
 */
import {
  CHUNK,
  CHUNK_DATA,
  CHUNK_DONE,
  CHUNK_ERROR,
  CHUNK_HOLE,
  ChunkType,
  NbdError,
  SIMPLE_REPLY,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from "./protocol.ts";
import type { Request } from "./request.ts";

export interface Replies {
  /** Bytes in front of the data of a read; no reply without data is longer. */
  readonly dataStart: number;
  /** A read that has succeeded. */
  data(view: DataView, place: number, request: Request): number;
  /** A read of nothing but zeros, which are not sent; undefined where there is no such reply. */
  readonly hole: ((view: DataView, place: number, request: Request) => number) | undefined;
  /** A request that has failed, or has succeeded and has no data to its answer. */
  status(view: DataView, place: number, request: Request, error: number): number;
}

/** What every client understands, and the only thing the kernel does. */
export const SIMPLE_REPLIES: Replies = {
  dataStart: SIMPLE_REPLY.size,
  hole: undefined,

  data(view: DataView, place: number, request: Request): number {
    return this.status(view, place, request, NbdError.None) + request.length;
  },

  status(view: DataView, place: number, request: Request, error: number): number {
    view.setUint32(place + SIMPLE_REPLY.magic, SIMPLE_REPLY_MAGIC);
    view.setUint32(place + SIMPLE_REPLY.error, error);
    view.setUint32(place + SIMPLE_REPLY.cookie, request.cookieHigh);
    view.setUint32(place + SIMPLE_REPLY.cookie + 4, request.cookieLow);
    return SIMPLE_REPLY.size;
  },
};

/** One chunk for each reply, so that reads are never fragmented. */
export const STRUCTURED_REPLIES: Replies = {
  dataStart: CHUNK.size + CHUNK_DATA.size,

  /** A data chunk has to have data. */
  data(view: DataView, place: number, request: Request): number {
    if (request.length === 0) return this.status(view, place, request, NbdError.None);
    setOffset(view, place + CHUNK.size + CHUNK_DATA.offset, request);
    const payloadBytes = CHUNK_DATA.size + request.length;
    return chunk(view, place, request, ChunkType.OffsetData, payloadBytes);
  },

  hole(view: DataView, place: number, request: Request): number {
    setOffset(view, place + CHUNK.size + CHUNK_HOLE.offset, request);
    view.setUint32(place + CHUNK.size + CHUNK_HOLE.length, request.length);
    return chunk(view, place, request, ChunkType.OffsetHole, CHUNK_HOLE.size);
  },

  status(view: DataView, place: number, request: Request, error: number): number {
    if (error === NbdError.None) return chunk(view, place, request, ChunkType.None, 0);
    view.setUint32(place + CHUNK.size + CHUNK_ERROR.error, error);
    view.setUint16(place + CHUNK.size + CHUNK_ERROR.messageLength, 0);
    return chunk(view, place, request, ChunkType.Error, CHUNK_ERROR.size);
  },
};

function setOffset(view: DataView, at: number, { offset }: Request): void {
  view.setUint32(at, Math.floor(offset / 2 ** 32));
  view.setUint32(at + 4, offset >>> 0);
}

/**
 * Writes the head of the only chunk of a reply, whose `payloadBytes` are behind it.
 *
 * @returns the size of the chunk
 */
export function chunk(
  view: DataView,
  place: number,
  request: Request,
  type: number,
  payloadBytes: number,
): number {
  view.setUint32(place + CHUNK.magic, STRUCTURED_REPLY_MAGIC);
  view.setUint16(place + CHUNK.flags, CHUNK_DONE);
  view.setUint16(place + CHUNK.type, type);
  view.setUint32(place + CHUNK.cookie, request.cookieHigh);
  view.setUint32(place + CHUNK.cookie + 4, request.cookieLow);
  view.setUint32(place + CHUNK.length, payloadBytes);
  return CHUNK.size + payloadBytes;
}
