/**
 * The fixed newstyle handshake, server side: bytes in, bytes out, no input or output of its own.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import type { ExportDescription } from "./export.ts";
import {
  CLIENT_FLAGS_BYTES,
  EXPORT_NAME_REPLY,
  GREETING,
  HandshakeFlag,
  Info,
  INFO_BLOCK_SIZE,
  INFO_EXPORT,
  INIT_MAGIC,
  MAX_NAME_BYTES,
  MAX_OPTION_BYTES,
  MAX_PAYLOAD_BYTES,
  OPTION,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  OptionReply,
} from "./protocol.ts";

/** What is to be done with the connection after a step. */
export type HandshakeState = "greeting" | "options" | "transmission" | "closed";

/** Most options one client may send: a legitimate one needs a handful. */
const MAX_OPTIONS = 1024;
const SERVER_FLAGS = HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes;

/** Appends big-endian numbers and bytes to a message. */
class Writer {
  readonly bytes: number[] = [];

  u16(value: number): this {
    this.bytes.push((value >>> 8) & 0xff, value & 0xff);
    return this;
  }

  u32(value: number): this {
    return this.u16(Math.floor(value / 0x10000)).u16(value % 0x10000);
  }

  u64(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  raw(bytes: Iterable<number>): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** Two halves of a 64-bit magic number. */
  magic(halves: readonly [number, number]): this {
    return this.u32(halves[0]).u32(halves[1]);
  }
}

/** One client's handshake. */
export class Handshake {
  readonly #description: ExportDescription;
  #state: HandshakeState = "greeting";
  #noZeroes = false;
  #options = 0;
  /** Data of an option that was refused unread, still to come and to be dropped. */
  #toSkip = 0;

  constructor(description: ExportDescription) {
    this.#description = description;
  }

  get state(): HandshakeState {
    return this.#state;
  }

  /** The first bytes the server sends. */
  static greeting(): Uint8Array {
    const message = new Writer().magic(INIT_MAGIC).magic(OPTION_MAGIC).u16(SERVER_FLAGS);
    return assertSize(message, GREETING.size);
  }

  /**
   * Takes as many whole messages as there are in `input` from `start` to `end`.
   *
   * @param reply gets what is to be sent back
   * @returns the offset of the first byte not taken
   */
  advance(input: IoBuffer, start: number, end: number, reply: (bytes: Uint8Array) => void): number {
    let at = start;
    for (;;) {
      const next = this.#step(input, at, end, reply);
      if (next === at || this.#state === "transmission" || this.#state === "closed") return next;
      at = next;
    }
  }

  #step(input: IoBuffer, at: number, end: number, reply: (bytes: Uint8Array) => void): number {
    if (this.#toSkip > 0) return this.#skip(at, end);
    return this.#state === "greeting"
      ? this.#takeClientFlags(input, at, end)
      : this.#takeOption(input, at, end, reply);
  }

  #skip(at: number, end: number): number {
    const count = Math.min(this.#toSkip, end - at);
    this.#toSkip -= count;
    return at + count;
  }

  #takeClientFlags(input: IoBuffer, at: number, end: number): number {
    if (end - at < CLIENT_FLAGS_BYTES) return at;
    const flags = input.view.getUint32(at);
    this.#noZeroes = (flags & HandshakeFlag.NoZeroes) !== 0;
    // "The server MUST close the connection if it does not recognise a flag" (proto.md).
    const known = (flags & ~SERVER_FLAGS) === 0;
    this.#state = known ? "options" : "closed";
    return at + CLIENT_FLAGS_BYTES;
  }

  #takeOption(
    input: IoBuffer,
    at: number,
    end: number,
    reply: (bytes: Uint8Array) => void,
  ): number {
    if (end - at < OPTION.size) return at;
    const { view } = input;
    const isOption = view.getUint32(at + OPTION.magic) === OPTION_MAGIC[0] &&
      view.getUint32(at + OPTION.magic + 4) === OPTION_MAGIC[1];
    const type = view.getUint32(at + OPTION.type);
    const length = view.getUint32(at + OPTION.length);
    if (!isOption || this.#options >= MAX_OPTIONS || length > MAX_PAYLOAD_BYTES) {
      this.#state = "closed";
      return end;
    }
    const dataAt = at + OPTION.size;
    const isRefused = length > MAX_OPTION_BYTES;
    if (!isRefused && end - dataAt < length) return at;
    this.#options++;
    if (isRefused) return this.#refuseUnread(type, length, dataAt, reply);
    this.#answer(type, input.bytes.subarray(dataAt, dataAt + length), reply);
    return dataAt + length;
  }

  #refuseUnread(
    type: number,
    length: number,
    dataAt: number,
    reply: (bytes: Uint8Array) => void,
  ): number {
    if (type === Option.ExportName) {
      this.#state = "closed";
      return dataAt;
    }
    this.#toSkip = length;
    reply(errorReply(type, OptionReply.ErrTooBig, "the option is too long"));
    return dataAt;
  }

  #answer(type: number, data: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    switch (type) {
      case Option.ExportName:
        return this.#answerExportName(data, reply);
      case Option.Abort:
        reply(optionReply(type, OptionReply.Ack));
        this.#state = "closed";
        return;
      case Option.List:
        return answerList(data, reply);
      case Option.Info:
      case Option.Go:
        return this.#answerInfo(type, data, reply);
      default:
        reply(errorReply(type, OptionReply.ErrUnsupported, "the option is not supported"));
    }
  }

  /** The oldest way to ask: no reply can say that there is no such export, only closing can. */
  #answerExportName(name: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    if (name.length > 0) {
      this.#state = "closed";
      return;
    }
    const { sizeBytes, flags } = this.#description;
    const message = new Writer().u64(sizeBytes).u16(flags);
    assertSize(message, EXPORT_NAME_REPLY.size);
    if (!this.#noZeroes) message.raw(new Uint8Array(EXPORT_NAME_REPLY.zeroes));
    reply(Uint8Array.from(message.bytes));
    this.#state = "transmission";
  }

  #answerInfo(type: number, data: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    const name = requestedName(data);
    if (name === undefined) {
      reply(errorReply(type, OptionReply.ErrInvalid, "the option's lengths do not fit"));
      return;
    }
    if (name.length > 0) {
      reply(errorReply(type, OptionReply.ErrUnknown, "the only export is the one without a name"));
      return;
    }
    const { sizeBytes, flags, minimumBlockBytes, preferredBlockBytes } = this.#description;
    const info = new Writer().u16(Info.Export).u64(sizeBytes).u16(flags);
    reply(optionReply(type, OptionReply.Info, assertSize(info, INFO_EXPORT.size)));
    const blocks = new Writer().u16(Info.BlockSize)
      .u32(minimumBlockBytes).u32(preferredBlockBytes).u32(MAX_PAYLOAD_BYTES);
    reply(optionReply(type, OptionReply.Info, assertSize(blocks, INFO_BLOCK_SIZE.size)));
    reply(optionReply(type, OptionReply.Ack));
    if (type === Option.Go) this.#state = "transmission";
  }
}

/** Lists the one export, whose name is empty. */
function answerList(data: Uint8Array, reply: (bytes: Uint8Array) => void): void {
  if (data.length > 0) {
    reply(errorReply(Option.List, OptionReply.ErrInvalid, "the option takes no data"));
    return;
  }
  const emptyName = assertSize(new Writer().u32(0), 4);
  reply(optionReply(Option.List, OptionReply.Server, emptyName));
  reply(optionReply(Option.List, OptionReply.Ack));
}

/** The export name in NBD_OPT_INFO or NBD_OPT_GO; undefined if the lengths in it do not fit. */
function requestedName(data: Uint8Array): Uint8Array | undefined {
  if (data.length < 6) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const nameLength = view.getUint32(0);
  if (nameLength > MAX_NAME_BYTES || data.length < 6 + nameLength) return undefined;
  const infoCount = view.getUint16(4 + nameLength);
  if (data.length !== 6 + nameLength + 2 * infoCount) return undefined;
  return data.subarray(4, 4 + nameLength);
}

function optionReply(
  option: number,
  type: number,
  data: Uint8Array = new Uint8Array(),
): Uint8Array {
  const head = new Writer().magic(OPTION_REPLY_MAGIC).u32(option).u32(type).u32(data.length);
  assertSize(head, OPTION_REPLY.size);
  return Uint8Array.from(head.raw(data).bytes);
}

function errorReply(option: number, type: number, text: string): Uint8Array {
  return optionReply(option, type, new TextEncoder().encode(text));
}

function assertSize(message: Writer, size: number): Uint8Array {
  if (message.bytes.length !== size) throw new Error("a message of the wrong size");
  return Uint8Array.from(message.bytes);
}
