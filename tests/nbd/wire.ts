/**
 * The client's side of the protocol, as bytes.
 *
 * @module
 */
import { joined } from "../../src/sys/joined.ts";
import {
  CHUNK,
  CHUNK_DATA,
  CHUNK_DONE,
  ChunkType,
  Command,
  REQUEST,
  REQUEST_MAGIC,
  SIMPLE_REPLY,
  STRUCTURED_REPLY_MAGIC,
} from "../../src/nbd/protocol.ts";
import { lastErrno, libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../../src/sys/sockets.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const EAGAIN = 11;

export interface RequestFields {
  readonly command: number;
  readonly cookie: bigint;
  readonly offset?: bigint | number;
  readonly length?: number;
  readonly flags?: number;
  readonly magic?: number;
  /** Data of a write; its length, unless that is given. */
  readonly payload?: Uint8Array;
}

/** One request as it goes over the wire. */
export function encodeRequest(fields: RequestFields): Uint8Array<ArrayBuffer> {
  const payload = fields.payload ?? new Uint8Array();
  const bytes = new Uint8Array(REQUEST.size + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(REQUEST.magic, fields.magic ?? REQUEST_MAGIC);
  view.setUint16(REQUEST.flags, fields.flags ?? 0);
  view.setUint16(REQUEST.type, fields.command);
  view.setBigUint64(REQUEST.cookie, fields.cookie);
  view.setBigUint64(REQUEST.offset, BigInt(fields.offset ?? 0));
  view.setUint32(REQUEST.length, fields.length ?? payload.length);
  bytes.set(payload, REQUEST.size);
  return bytes;
}

export interface Reply {
  readonly magic: number;
  readonly error: number;
  readonly cookie: bigint;
  readonly data: Uint8Array;
  /** Of the one chunk of a structured reply; undefined for a simple one. */
  readonly type?: number;
  /** Of a data chunk. */
  readonly offset?: bigint;
}

/** A client that never waits: it sends and receives what fits. */
export class TestClient {
  /** Whether it takes what the server sends. */
  reads = true;
  /** Whether the server has closed the connection. */
  closed = false;
  readonly replies: Reply[] = [];
  readonly #fd: number;
  readonly #toSend: Uint8Array[] = [];
  /** Received and not parsed: the first `#receivedBytes` of it. */
  #received = new Uint8Array(64 * 1024);
  #receivedBytes = 0;
  /** Data bytes that a good reply to each open request has. */
  readonly #dataBytes = new Map<bigint, number>();
  readonly #buffer = new IoBuffer(1024 * 1024);

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Has bytes sent as the socket takes them. */
  queue(...parts: readonly Uint8Array[]): void {
    this.#toSend.push(...parts.filter((part) => part.length > 0));
  }

  /** Queues requests. */
  ask(...requests: readonly RequestFields[]): void {
    for (const fields of requests) this.expect(fields);
    this.queue(joined(requests.map(encodeRequest)));
  }

  /** Makes known what the reply to a request will be like. */
  expect({ command, cookie, length }: RequestFields): void {
    this.#dataBytes.set(cookie, command === Command.Read ? length ?? 0 : 0);
  }

  get unsentBytes(): number {
    return this.#toSend.reduce((sum, part) => sum + part.length, 0);
  }

  /** Bytes received that are not replies, or not yet. */
  get unparsed(): Uint8Array {
    return this.#received.subarray(0, this.#receivedBytes);
  }

  /** Sends and receives once; whether anything moved. */
  move(): boolean {
    const sent = this.#send();
    return (this.reads && this.#receive()) || sent;
  }

  #send(): boolean {
    const [first] = this.#toSend;
    if (first === undefined) return false;
    const chunk = first.subarray(0, this.#buffer.size);
    this.#buffer.bytes.set(chunk);
    const { address } = this.#buffer;
    const count = libc().send(this.#fd, address, chunk.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) return false;
    if (count === first.length) this.#toSend.shift();
    else this.#toSend[0] = first.subarray(count);
    return true;
  }

  #receive(): boolean {
    const { address, bytes, size } = this.#buffer;
    const count = libc().recv(this.#fd, address, size, MSG_DONTWAIT);
    if (count < 0 && lastErrno() === EAGAIN) return false;
    if (count <= 0) {
      this.closed = true;
      return false;
    }
    this.#store(bytes.subarray(0, count));
    this.#parse();
    return true;
  }

  #store(bytes: Uint8Array): void {
    const needed = this.#receivedBytes + bytes.length;
    if (needed > this.#received.length) {
      const larger = new Uint8Array(2 * needed);
      larger.set(this.unparsed);
      this.#received = larger;
    }
    this.#received.set(bytes, this.#receivedBytes);
    this.#receivedBytes = needed;
  }

  #parse(): void {
    let at = 0;
    while (this.#dataBytes.size > 0 && this.#receivedBytes - at >= SIMPLE_REPLY.size) {
      const bytes = this.#received.subarray(at, this.#receivedBytes);
      const isStructured = new DataView(bytes.buffer, at).getUint32(0) === STRUCTURED_REPLY_MAGIC;
      const parsed = isStructured ? parseChunk(bytes) : this.#parseSimple(bytes);
      if (parsed === undefined) break;
      const { reply, size } = parsed;
      if (!this.#dataBytes.delete(reply.cookie)) {
        throw new Error(`a reply to ${reply.cookie}, which was not asked`);
      }
      this.replies.push(reply);
      at += size;
    }
    this.#received.copyWithin(0, at, this.#receivedBytes);
    this.#receivedBytes -= at;
  }

  #parseSimple(bytes: Uint8Array): Parsed | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const error = view.getUint32(SIMPLE_REPLY.error);
    const cookie = view.getBigUint64(SIMPLE_REPLY.cookie);
    const size = SIMPLE_REPLY.size + (error === 0 ? this.#dataBytes.get(cookie) ?? 0 : 0);
    if (bytes.length < size) return undefined;
    const data = bytes.slice(SIMPLE_REPLY.size, size);
    return { reply: { magic: view.getUint32(SIMPLE_REPLY.magic), error, cookie, data }, size };
  }

  /** The one reply to a request; forgets it. */
  take(cookie: bigint): Reply {
    const at = this.replies.findIndex((reply) => reply.cookie === cookie);
    const [reply] = at < 0 ? [] : this.replies.splice(at, 1);
    if (reply === undefined) throw new Error(`no reply to ${cookie}`);
    return reply;
  }
}

interface Parsed {
  readonly reply: Reply;
  readonly size: number;
}

/** A structured reply of one chunk; undefined if it has not arrived as a whole. */
function parseChunk(bytes: Uint8Array): Parsed | undefined {
  if (bytes.length < CHUNK.size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = CHUNK.size + view.getUint32(CHUNK.length);
  if (bytes.length < size) return undefined;
  if (view.getUint16(CHUNK.flags) !== CHUNK_DONE) throw new Error("more than one chunk");
  const type = view.getUint16(CHUNK.type);
  const isData = type === ChunkType.OffsetData;
  const reply = {
    magic: view.getUint32(CHUNK.magic),
    error: type === ChunkType.Error ? view.getUint32(CHUNK.size) : 0,
    cookie: view.getBigUint64(CHUNK.cookie),
    data: bytes.slice(CHUNK.size + (isData ? CHUNK_DATA.size : 0), size),
    type,
    ...(isData ? { offset: view.getBigUint64(CHUNK.size) } : {}),
  };
  return { reply, size };
}
