/**
 * The kernel's side of the FUSE protocol as bytes, and a channel whose crank the test turns.
 *
 * A pair of sequenced packet sockets stands in for /dev/fuse: both keep the borders of messages.
 *
 * @module
 */
import { FuseChannel } from "../../src/fuse/fuse_channel.ts";
import { FuseTree } from "../../src/fuse/fuse_tree.ts";
import {
  FALLOCATE_IN,
  IN_HEADER,
  IO_IN,
  LSEEK_IN,
  Opcode,
  OUT_HEADER,
} from "../../src/fuse/protocol.ts";
import { Fd } from "../../src/sys/files.ts";
import { setNonBlocking } from "../../src/sys/files.ts";
import { lastErrno, libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../../src/sys/sockets.ts";
import { type FakeOptions, ServedImage } from "../nbd/served_image.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const AF_UNIX = 1;
const SOCK_SEQPACKET_CLOEXEC = 5 | 0o2000000;
const EAGAIN = 11;
/** The most one message of the stand-in carries. */
const MESSAGE_BYTES = 192 * 1024;

export interface FuseRequest {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node?: bigint | number;
  readonly body?: Uint8Array;
}

export interface FuseReply {
  /** What the header says. */
  readonly length: number;
  /** 0 or a negative errno. */
  readonly error: number;
  readonly unique: bigint;
  readonly body: Uint8Array;
}

/** One request as /dev/fuse hands it out. */
export function encodeRequest(request: FuseRequest): Uint8Array<ArrayBuffer> {
  const { opcode, unique, node = 1, body = new Uint8Array() } = request;
  const bytes = new Uint8Array(IN_HEADER.size + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(IN_HEADER.length, bytes.length, true);
  view.setUint32(IN_HEADER.opcode, opcode, true);
  view.setBigUint64(IN_HEADER.unique, unique, true);
  view.setBigUint64(IN_HEADER.nodeId, BigInt(node), true);
  bytes.set(body, IN_HEADER.size);
  return bytes;
}

function body(sizeBytes: number, fill: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  fill(new DataView(bytes.buffer));
  return bytes;
}

/** Body of a read. */
export function readBody(offset: bigint | number, length: number): Uint8Array<ArrayBuffer> {
  return body(IO_IN.size, (view) => {
    view.setBigUint64(IO_IN.offset, BigInt(offset), true);
    view.setUint32(IO_IN.length, length, true);
  });
}

/** Body of a write, its data included. */
export function writeBody(offset: bigint | number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(IO_IN.size + data.length);
  bytes.set(readBody(offset, data.length));
  bytes.set(data, IO_IN.size);
  return bytes;
}

export function fallocateBody(
  offset: bigint | number,
  length: bigint | number,
  mode: number,
): Uint8Array<ArrayBuffer> {
  return body(FALLOCATE_IN.size, (view) => {
    view.setBigUint64(FALLOCATE_IN.offset, BigInt(offset), true);
    view.setBigUint64(FALLOCATE_IN.length, BigInt(length), true);
    view.setUint32(FALLOCATE_IN.mode, mode, true);
  });
}

export function lseekBody(offset: bigint | number, whence: number): Uint8Array<ArrayBuffer> {
  return body(LSEEK_IN.size, (view) => {
    view.setBigUint64(LSEEK_IN.offset, BigInt(offset), true);
    view.setUint32(LSEEK_IN.whence, whence, true);
  });
}

/** A name as LOOKUP carries it. */
export function nameBody(name: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${name}\0`);
}

/** Both ends of a connection that keeps the borders of messages. */
function packetPair(): [Fd, Fd] {
  const fds = new Int32Array(2);
  const memory = new Uint8Array(fds.buffer);
  if (libc().socketpair(AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, memory) !== 0) {
    throw new Error(`socketpair: ${lastErrno()}`);
  }
  return [new Fd(fds[0] ?? -1), new Fd(fds[1] ?? -1)];
}

export const IMAGE_PATH = "/images/disk.raw";
/** Node of the disk's file in {@link ServedFuse}. */
export const DISK_NODE = 3;

/** A FUSE session over an image, without kernel. */
export class ServedFuse implements Disposable {
  readonly served: ServedImage;
  readonly channel: FuseChannel;
  readonly #kernel: Fd;
  readonly #buffer = new IoBuffer(MESSAGE_BYTES);
  readonly #replies: FuseReply[] = [];
  #nextUnique = 2n;

  constructor(options: FakeOptions & { readonly blind?: boolean } = {}) {
    this.served = new ServedImage(options);
    const [kernel, server] = packetPair();
    this.#kernel = kernel;
    setNonBlocking(server.number);
    const { access, executor } = this.served;
    const tree = new FuseTree(IMAGE_PATH, access);
    this.channel = new FuseChannel(server.release(), executor, { tree, content: executor.access });
  }

  /** Sends a message without serving it. */
  send(message: Uint8Array): void {
    this.#buffer.bytes.set(message);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const { address } = this.#buffer;
    const sent = libc().send(this.#kernel.number, address, message.length, flags);
    if (sent !== message.length) throw new Error(`send: ${lastErrno()}`);
  }

  /** Serves until nothing happens any more. */
  settle(): void {
    do {
      while (this.channel.serve());
      this.served.settle();
      this.#receive();
    } while (this.channel.serve());
    this.#receive();
  }

  /** One turn of the channel only: what was parked stays so. */
  turn(): boolean {
    const busy = this.channel.serve();
    this.#receive();
    return busy;
  }

  /** Replies that have come and were not taken. */
  get replies(): readonly FuseReply[] {
    return this.#replies;
  }

  /** The one reply to a request; forgets it. */
  take(unique: bigint): FuseReply {
    const at = this.#replies.findIndex((reply) => reply.unique === unique);
    const [reply] = at < 0 ? [] : this.#replies.splice(at, 1);
    if (reply === undefined) throw new Error(`no reply to ${unique}`);
    return reply;
  }

  /** Sends one request about the disk and returns its reply. */
  ask(opcode: number, bytes?: Uint8Array, node: bigint | number = DISK_NODE): FuseReply {
    const unique = this.#nextUnique;
    this.#nextUnique += 2n;
    this.send(encodeRequest({ opcode, unique, node, ...(bytes && { body: bytes }) }));
    this.settle();
    return this.take(unique);
  }

  read(offset: bigint | number, length: number): FuseReply {
    return this.ask(Opcode.Read, readBody(offset, length));
  }

  write(offset: bigint | number, data: Uint8Array): FuseReply {
    return this.ask(Opcode.Write, writeBody(offset, data));
  }

  /** What an unmount does: /dev/fuse has nothing more to read. */
  hangUp(): void {
    this.#kernel.close();
  }

  #receive(): void {
    const { address, bytes, size } = this.#buffer;
    for (;;) {
      const count = libc().recv(this.#kernel.number, address, size, MSG_DONTWAIT);
      if (count < 0 && lastErrno() === EAGAIN) return;
      if (count < OUT_HEADER.size) return;
      this.#replies.push(parseReply(bytes.slice(0, count)));
    }
  }

  [Symbol.dispose](): void {
    this.channel.close();
    this.#kernel.close();
    this.served[Symbol.dispose]();
  }
}

function parseReply(bytes: Uint8Array<ArrayBuffer>): FuseReply {
  const view = new DataView(bytes.buffer);
  return {
    length: view.getUint32(OUT_HEADER.length, true),
    error: view.getInt32(OUT_HEADER.error, true),
    unique: view.getBigUint64(OUT_HEADER.unique, true),
    body: bytes.subarray(OUT_HEADER.size),
  };
}
