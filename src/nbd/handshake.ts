/**
 * The fixed newstyle handshake, server side: bytes in, bytes out, no input or output of its own.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import type { ExportDescription } from "./export.ts";
import { assertSize, errorReply, optionReply, Writer } from "./messages.ts";
import { parseMetaContexts } from "./meta_context.ts";
import {
  BASE_ALLOCATION,
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
  OptionReply,
  TransmissionFlag,
} from "./protocol.ts";

/** What is to be done with the connection after a step. */
export type HandshakeState = "greeting" | "options" | "transmission" | "closed";

/** Sends something back. */
type Reply = (bytes: Uint8Array) => void;

/** Most options one client may send: a legitimate one needs a handful. */
const MAX_OPTIONS = 1024;
const SERVER_FLAGS = HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes;

/** One client's handshake. */
export class Handshake {
  readonly #description: ExportDescription;
  readonly #reply: Reply;
  #state: HandshakeState = "greeting";
  #noZeroes = false;
  #options = 0;
  #structured = false;
  #blockStatus = false;
  /** Data of an option that was refused unread, still to come and to be dropped. */
  #toSkip = 0;

  /** @param reply gets what is to be sent back */
  constructor(description: ExportDescription, reply: Reply) {
    this.#description = description;
    this.#reply = reply;
  }

  get state(): HandshakeState {
    return this.#state;
  }

  /** Whether the client wants structured replies. */
  get structured(): boolean {
    return this.#structured;
  }

  /** Whether it has selected the metadata context that block status is about. */
  get blockStatus(): boolean {
    return this.#blockStatus;
  }

  /** The first bytes the server sends. */
  static greeting(): Uint8Array {
    const message = new Writer().magic(INIT_MAGIC).magic(OPTION_MAGIC).u16(SERVER_FLAGS);
    return assertSize(message, GREETING.size);
  }

  /**
   * Takes as many whole messages as there are in `input` from `start` to `end`.
   *
   * @returns the offset of the first byte not taken
   */
  advance(input: IoBuffer, start: number, end: number): number {
    let at = start;
    for (;;) {
      const next = this.#step(input, at, end);
      if (next === at || this.#state === "transmission" || this.#state === "closed") return next;
      at = next;
    }
  }

  #step(input: IoBuffer, at: number, end: number): number {
    if (this.#toSkip > 0) return this.#skip(at, end);
    return this.#state === "greeting"
      ? this.#takeClientFlags(input, at, end)
      : this.#takeOption(input, at, end);
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
    if (isRefused) return this.#refuseUnread(type, length, dataAt);
    this.#answer(type, input.bytes.subarray(dataAt, dataAt + length));
    return dataAt + length;
  }

  #refuseUnread(
    type: number,
    length: number,
    dataAt: number,
  ): number {
    if (type === Option.ExportName) {
      this.#state = "closed";
      return dataAt;
    }
    this.#toSkip = length;
    this.#reply(errorReply(type, OptionReply.ErrTooBig, "the option is too long"));
    return dataAt;
  }

  #answer(type: number, data: Uint8Array): void {
    switch (type) {
      case Option.ExportName:
        return this.#answerExportName(data);
      case Option.Abort:
        this.#reply(optionReply(type, OptionReply.Ack));
        this.#state = "closed";
        return;
      case Option.List:
        return answerList(data, this.#reply);
      case Option.Info:
      case Option.Go:
        return this.#answerInfo(type, data);
      case Option.StructuredReply:
        return this.#answerStructuredReply(data);
      case Option.ListMetaContext:
      case Option.SetMetaContext:
        return this.#answerMetaContext(type, data);
      default:
        this.#reply(errorReply(type, OptionReply.ErrUnsupported, "the option is not supported"));
    }
  }

  /** The oldest way to ask: no reply can say that there is no such export, only closing can. */
  #answerExportName(name: Uint8Array): void {
    if (name.length > 0) {
      this.#state = "closed";
      return;
    }
    const { sizeBytes } = this.#description;
    const message = new Writer().u64(sizeBytes).u16(this.#flags);
    assertSize(message, EXPORT_NAME_REPLY.size);
    if (!this.#noZeroes) message.raw(new Uint8Array(EXPORT_NAME_REPLY.zeroes));
    this.#reply(Uint8Array.from(message.bytes));
    this.#state = "transmission";
  }

  #answerInfo(type: number, data: Uint8Array): void {
    const name = requestedName(data);
    if (name === undefined) return this.#reply(unfit(type));
    if (name.length > 0) return this.#reply(unknownExport(type));
    const { sizeBytes, minimumBlockBytes, preferredBlockBytes } = this.#description;
    const info = new Writer().u16(Info.Export).u64(sizeBytes).u16(this.#flags);
    this.#reply(optionReply(type, OptionReply.Info, assertSize(info, INFO_EXPORT.size)));
    const blocks = new Writer().u16(Info.BlockSize)
      .u32(minimumBlockBytes).u32(preferredBlockBytes).u32(MAX_PAYLOAD_BYTES);
    this.#reply(optionReply(type, OptionReply.Info, assertSize(blocks, INFO_BLOCK_SIZE.size)));
    this.#reply(optionReply(type, OptionReply.Ack));
    if (type === Option.Go) this.#state = "transmission";
  }

  /** The flag about fragments means nothing to clients whose replies are simple. */
  get #flags(): number {
    return this.#description.flags | (this.#structured ? TransmissionFlag.SendDontFragment : 0);
  }

  #answerStructuredReply(data: Uint8Array): void {
    const type = Option.StructuredReply;
    if (data.length > 0) {
      this.#reply(errorReply(type, OptionReply.ErrInvalid, "the option takes no data"));
      return;
    }
    this.#structured = true;
    this.#reply(optionReply(type, OptionReply.Ack));
  }

  /** A new selection takes the place of the one before, even if it fails. */
  #answerMetaContext(type: number, data: Uint8Array): void {
    const selects = type === Option.SetMetaContext;
    if (selects) this.#blockStatus = false;
    const request = parseMetaContexts(data);
    if (!this.#structured) {
      this.#reply(errorReply(type, OptionReply.ErrInvalid, "structured replies come first"));
      return;
    }
    if (request === undefined) return this.#reply(unfit(type));
    if (request.exportName.length > 0) return this.#reply(unknownExport(type));
    const isMeant = selects ? request.selectsAllocation : request.listsAllocation;
    if (isMeant) {
      const id = selects ? BASE_ALLOCATION.id : 0;
      const context = new Writer().u32(id).raw(new TextEncoder().encode(BASE_ALLOCATION.name));
      this.#reply(optionReply(type, OptionReply.MetaContext, Uint8Array.from(context.bytes)));
    }
    if (selects) this.#blockStatus = isMeant;
    this.#reply(optionReply(type, OptionReply.Ack));
  }
}

function unknownExport(type: number): Uint8Array {
  return errorReply(type, OptionReply.ErrUnknown, "the only export is the one without a name");
}

function unfit(type: number): Uint8Array {
  return errorReply(type, OptionReply.ErrInvalid, "the option's lengths do not fit");
}

/** Lists the one export, whose name is empty. */
function answerList(data: Uint8Array, reply: Reply): void {
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
