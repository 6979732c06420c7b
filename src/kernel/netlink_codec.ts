/**
 * Messages of generic netlink, as bytes: nothing here talks to a kernel.
 *
 * Netlink is spoken in the byte order of the machine; all machines Deno runs on are little-endian.
 *
 * @module
 */
import { joined } from "../sys/joined.ts";

// struct nlmsghdr, linux/netlink.h
const MESSAGE = { length: 0, type: 4, flags: 6, sequence: 8, port: 12, size: 16 } as const;
// struct genlmsghdr, linux/genetlink.h
const COMMAND = { command: 0, version: 1, size: 4 } as const;
// struct nlattr, linux/netlink.h
const ATTRIBUTE = { length: 0, type: 2, size: 4 } as const;
// struct nlmsgerr, linux/netlink.h: the error number, then the header of the failed request
const ACKNOWLEDGEMENT = { error: 0, attributes: 4 + MESSAGE.size } as const;

const ALIGNMENT = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const NLA_LENGTH_MAX = 0xffff;
const NLMSGERR_ATTR_MSG = 1;

/** Message type of an acknowledgement, good or bad (NLMSG_ERROR). */
export const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x01;
const NLM_F_ACK = 0x04;
/** The acknowledgement carries attributes that explain it (NLM_F_ACK_TLVS, since 4.12). */
export const NLM_F_ACK_TLVS = 0x200;

/** A message or attribute whose lengths do not fit what was received. */
export class NetlinkFormatError extends Error {
  override readonly name = "NetlinkFormatError";
}

/** One attribute: a type and the bytes that follow its header. */
export interface Attribute {
  /** The number from the header, without its flag bits. */
  readonly type: number;
  readonly value: Uint8Array;
}

/** One netlink message. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the message header. */
  readonly payload: Uint8Array;
}

/** A request to a generic netlink family. */
export interface Request {
  /** The family's number, as the controller told it. */
  readonly familyId: number;
  readonly command: number;
  readonly version: number;
  readonly sequence: number;
  /** Encoded attributes, in order. */
  readonly attributes: readonly Uint8Array[];
}

/** What the kernel says of a request: 0, or the error number and perhaps why. */
export interface Acknowledgement {
  readonly errno: number;
  readonly explanation?: string;
}

/** Attribute with a 32-bit number. */
export function u32Attribute(type: number, value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return attribute(type, bytes);
}

/** Attribute with a 64-bit number, of which a JavaScript number holds 53 bits. */
export function u64Attribute(type: number, value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt(value), true);
  return attribute(type, bytes);
}

/** Attribute with a NUL-terminated text. */
export function stringAttribute(type: number, value: string): Uint8Array<ArrayBuffer> {
  return attribute(type, new TextEncoder().encode(`${value}\0`));
}

/** Attribute made of attributes. */
export function nestedAttribute(
  type: number,
  attributes: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  return attribute(type | NLA_F_NESTED, joined(attributes));
}

function attribute(type: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = ATTRIBUTE.size + value.length;
  if (length > NLA_LENGTH_MAX) throw new NetlinkFormatError(`attribute ${type} is too long`);
  const bytes = new Uint8Array(aligned(length));
  const view = viewOf(bytes);
  view.setUint16(ATTRIBUTE.length, length, true);
  view.setUint16(ATTRIBUTE.type, type, true);
  bytes.set(value, ATTRIBUTE.size);
  return bytes;
}

/**
 * Takes a run of attributes apart.
 *
 * @throws {NetlinkFormatError} if a length is below a header's or beyond the end
 */
export function decodeAttributes(bytes: Uint8Array): Attribute[] {
  const view = viewOf(bytes);
  const attributes: Attribute[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + ATTRIBUTE.size > bytes.length) throw new NetlinkFormatError("attribute cut short");
    const length = view.getUint16(at + ATTRIBUTE.length, true);
    if (length < ATTRIBUTE.size || at + length > bytes.length) {
      throw new NetlinkFormatError(`attribute of ${length} bytes in ${bytes.length - at}`);
    }
    attributes.push({
      type: view.getUint16(at + ATTRIBUTE.type, true) & NLA_TYPE_MASK,
      value: bytes.subarray(at + ATTRIBUTE.size, at + length),
    });
    at += aligned(length);
  }
  return attributes;
}

/** The value of the first attribute of that type, if there is one. */
export function attributeValue(
  attributes: readonly Attribute[],
  type: number,
): Uint8Array | undefined {
  return attributes.find((attribute) => attribute.type === type)?.value;
}

/** The number in an attribute that must have exactly 1, 2 or 4 bytes. */
export function unsignedValue(value: Uint8Array | undefined, sizeBytes: 1 | 2 | 4): number {
  if (value?.length !== sizeBytes) {
    throw new NetlinkFormatError(`number of ${value?.length ?? 0} bytes, expected ${sizeBytes}`);
  }
  const view = viewOf(value);
  if (sizeBytes === 1) return view.getUint8(0);
  return sizeBytes === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
}

/** A whole request, ready to be sent; it asks for an acknowledgement. */
export function encodeRequest(request: Request): Uint8Array<ArrayBuffer> {
  const headers = new Uint8Array(MESSAGE.size + COMMAND.size);
  const bytes = joined([headers, ...request.attributes]);
  const view = viewOf(bytes);
  view.setUint32(MESSAGE.length, bytes.length, true);
  view.setUint16(MESSAGE.type, request.familyId, true);
  view.setUint16(MESSAGE.flags, NLM_F_REQUEST | NLM_F_ACK, true);
  view.setUint32(MESSAGE.sequence, request.sequence, true);
  view.setUint8(MESSAGE.size + COMMAND.command, request.command);
  view.setUint8(MESSAGE.size + COMMAND.version, request.version);
  return bytes;
}

/**
 * Takes what one receive call delivered apart.
 *
 * @throws {NetlinkFormatError} if a message is cut short
 */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const view = viewOf(bytes);
  const messages: Message[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + MESSAGE.size > bytes.length) throw new NetlinkFormatError("message cut short");
    const length = view.getUint32(at + MESSAGE.length, true);
    if (length < MESSAGE.size || at + length > bytes.length) {
      throw new NetlinkFormatError(`message of ${length} bytes in ${bytes.length - at}`);
    }
    messages.push({
      type: view.getUint16(at + MESSAGE.type, true),
      flags: view.getUint16(at + MESSAGE.flags, true),
      sequence: view.getUint32(at + MESSAGE.sequence, true),
      payload: bytes.subarray(at + MESSAGE.size, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The attributes of a family's own message. */
export function replyAttributes(message: Message): Attribute[] {
  if (message.payload.length < COMMAND.size) throw new NetlinkFormatError("reply without header");
  return decodeAttributes(message.payload.subarray(COMMAND.size));
}

/** What an acknowledgement says. */
export function decodeAcknowledgement(message: Message): Acknowledgement {
  const { payload, flags } = message;
  if (payload.length < ACKNOWLEDGEMENT.attributes) {
    throw new NetlinkFormatError("acknowledgement cut short");
  }
  const errno = -viewOf(payload).getInt32(ACKNOWLEDGEMENT.error, true) || 0;
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const attributes = decodeAttributes(payload.subarray(ACKNOWLEDGEMENT.attributes));
  const text = attributeValue(attributes, NLMSGERR_ATTR_MSG);
  if (text === undefined) return { errno };
  return { errno, explanation: new TextDecoder().decode(text).replace(/\0.*$/s, "") };
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
