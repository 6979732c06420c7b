/**
 * Messages of the handshake, as bytes.
 *
 * @module
 */
import { OPTION_REPLY, OPTION_REPLY_MAGIC } from "./protocol.ts";

/** Appends big-endian numbers and bytes to a message. */
export class Writer {
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

/** One reply to an option. */
export function optionReply(
  option: number,
  type: number,
  data: Uint8Array = new Uint8Array(),
): Uint8Array {
  const head = new Writer().magic(OPTION_REPLY_MAGIC).u32(option).u32(type).u32(data.length);
  assertSize(head, OPTION_REPLY.size);
  return Uint8Array.from(head.raw(data).bytes);
}

/** A reply that refuses an option, with a text for people. */
export function errorReply(option: number, type: number, text: string): Uint8Array {
  return optionReply(option, type, new TextEncoder().encode(text));
}

/** @throws {Error} if the message has not the size the protocol gives */
export function assertSize(message: Writer, size: number): Uint8Array {
  if (message.bytes.length !== size) throw new Error("a message of the wrong size");
  return Uint8Array.from(message.bytes);
}
