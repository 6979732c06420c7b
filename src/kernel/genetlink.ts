/**
 * A generic netlink socket: send a command to a family, wait for its answer.
 *
 * The kernel runs a command inside send(2), so that its answer is there when send returns; a time
 * limit on recv(2) only guards against an answer that never comes.
 *
 * @module
 */
import { checked, EINTR, SystemError } from "../sys/errno.ts";
import { Fd } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { addressOf, IoBuffer } from "../sys/memory.ts";
import { MSG_DONTWAIT } from "../sys/sockets.ts";
import { trace } from "../sys/trace.ts";
import {
  type Attribute,
  attributeValue,
  decodeAcknowledgement,
  decodeMessages,
  encodeRequest,
  type Message,
  NLMSG_ERROR,
  replyAttributes,
  stringAttribute,
  unsignedValue,
} from "./netlink_codec.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_GENERIC = 16;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
/** Do not echo a failed request back; explain the failure (linux/netlink.h, since 4.3 and 4.12). */
const ACKNOWLEDGEMENT_OPTIONS = { NETLINK_CAP_ACK: 10, NETLINK_EXT_ACK: 11 } as const;

// The controller, the one family with a fixed number: linux/genetlink.h
const GENL_ID_CTRL = 0x10;
const CTRL_VERSION = 2;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

const ANSWER_TIMEOUT_SECONDS = 10;
/** Far more than any single answer has; one cut short is noticed by its lengths. */
const RECEIVE_BYTES = 32 * 1024;

/** A command the kernel refused, with what it said about why where it said anything. */
export class NetlinkError extends SystemError {
  constructor(syscall: string, errno: number, readonly explanation?: string) {
    super(syscall, errno);
  }
}

/** What to ask of a family. */
export interface Command {
  readonly familyId: number;
  readonly version: number;
  readonly command: number;
  /** What the command is called in an error, for example `nbd connect`. */
  readonly label: string;
  /** Encoded attributes. */
  readonly attributes: readonly Uint8Array[];
}

/** An open generic netlink socket, close-on-exec. */
export class GenericNetlinkSocket implements Disposable {
  readonly #fd: Fd;
  #sequence = 0;

  /** @throws {SystemError} where the kernel has no generic netlink */
  constructor() {
    const type = SOCK_RAW | SOCK_CLOEXEC;
    this.#fd = new Fd(checked(libc().socket(AF_NETLINK, type, NETLINK_GENERIC), "socket"));
    setTimeLimit(this.#fd.number, ANSWER_TIMEOUT_SECONDS);
    for (const option of Object.values(ACKNOWLEDGEMENT_OPTIONS)) {
      const on = new Uint8Array(Int32Array.of(1).buffer);
      libc().setsockopt(this.#fd.number, SOL_NETLINK, option, on, on.length);
    }
  }

  /** The descriptor, for a process that is to inherit it. */
  get fd(): number {
    return this.#fd.number;
  }

  /**
   * The number of the family of that name. Asking makes a kernel with module loading load it.
   *
   * @throws {NetlinkError} with ENOENT if there is no such family
   */
  familyId(name: string): number {
    const reply = this.request({
      familyId: GENL_ID_CTRL,
      version: CTRL_VERSION,
      command: CTRL_CMD_GETFAMILY,
      label: `netlink family ${name}`,
      attributes: [stringAttribute(CTRL_ATTR_FAMILY_NAME, name)],
    });
    return unsignedValue(attributeValue(reply, CTRL_ATTR_FAMILY_ID), 2);
  }

  /**
   * Sends a command and waits until it was carried out.
   *
   * @returns the attributes of the reply, none for commands without one
   * @throws {NetlinkError} if the kernel refused it
   * @throws {SystemError} with EAGAIN if no answer came within ten seconds
   */
  request(command: Command): Attribute[] {
    const sequence = ++this.#sequence;
    this.#send(encodeRequest({ ...command, sequence }));
    return awaitAnswer(this.fd, { sequence, label: command.label });
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    for (;;) {
      const count = libc().send(this.fd, addressOf(bytes), bytes.length, 0);
      if (count >= 0 || lastErrno() !== EINTR) return void checked(count, "send");
    }
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Waits for the answer to a request, which may be somebody else's, on the same socket.
 *
 * @throws {NetlinkError} if the kernel refused it
 * @throws {SystemError} with EAGAIN if no answer came within ten seconds
 */
export function awaitAnswer(
  fd: number,
  { sequence, label }: Pick<Command, "label"> & { readonly sequence: number },
): Attribute[] {
  const buffer = new IoBuffer(RECEIVE_BYTES);
  let reply: Attribute[] = [];
  for (;;) {
    // Others may belong to an earlier request that was given up.
    for (const message of receive(fd, buffer).filter((each) => each.sequence === sequence)) {
      if (message.type !== NLMSG_ERROR) reply = replyAttributes(message);
      else return acknowledged(message, label, reply);
    }
  }
}

/** Drops what has come of earlier requests. */
export function forgetAnswers(fd: number): void {
  const { address, size } = new IoBuffer(RECEIVE_BYTES);
  while (libc().recv(fd, address, size, MSG_DONTWAIT) >= 0);
}

function receive(fd: number, { address, size, bytes }: IoBuffer): Message[] {
  for (;;) {
    const count = libc().recv(fd, address, size, 0);
    if (count < 0 && lastErrno() === EINTR) continue;
    return decodeMessages(bytes.slice(0, checked(count, "recv")));
  }
}

function acknowledged(message: Message, label: string, reply: Attribute[]): Attribute[] {
  const { errno, explanation } = decodeAcknowledgement(message);
  trace("kernel", () => `${label}: ${-errno}${explanation ? ` (${explanation})` : ""}`);
  if (errno === 0) return reply;
  throw new NetlinkError(label, errno, explanation);
}

function setTimeLimit(fd: number, seconds: number): void {
  const timeval = new Uint8Array(BigInt64Array.of(BigInt(seconds), 0n).buffer);
  checked(libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, timeval.length), "setsockopt");
}
