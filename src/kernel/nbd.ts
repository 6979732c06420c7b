/**
 * Configuration of nbd devices over generic netlink (linux/nbd-netlink.h, drivers/block/nbd.c).
 *
 * How the driver keeps a device, which decides what may be done when (measured on 6.1, read in 6.11):
 * its configuration lives while anything refers to it, namely the connection made here, each living
 * socket and each opener. CONNECT wants that count to be zero, so that a mere open of an idle device
 * makes it EBUSY. DISCONNECT shuts the sockets down and drops the first two; with openers left, sysfs
 * keeps showing the device as connected until the last of them has closed. A server that dies takes
 * only the sockets away: the device stays configured, fails every new request, and waits for DISCONNECT.
 * Requests the dead server had not answered wait for it, too: without a time limit nothing else ends them.
 *
 * @module
 */
import { EBUSY, EINVAL, ENOENT, SystemError } from "../sys/errno.ts";
import { O_RDONLY } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { openNode } from "./device_nodes.ts";
import { KernelFeatureError } from "./feature_error.ts";
import { awaitAnswer, type Command, forgetAnswers, GenericNetlinkSocket } from "./genetlink.ts";
import {
  type Attribute,
  attributeValue,
  decodeAttributes,
  encodeRequest,
  nestedAttribute,
  stringAttribute,
  u32Attribute,
  u64Attribute,
  unsignedValue,
} from "./netlink_codec.ts";
import { NBD_BACKEND_MAX_BYTES } from "./nbd_devices.ts";

/** Name of the driver's family. */
export const NBD_FAMILY = "nbd";
const NBD_GENL_VERSION = 1;

const NBD_CMD = { connect: 1, disconnect: 2, reconfigure: 3, status: 5 } as const;

const NBD_ATTR = {
  index: 1, // u32
  sizeBytes: 2, // u64
  blockSizeBytes: 3, // u64
  timeout: 4, // u64, seconds
  serverFlags: 5, // u64
  clientFlags: 6, // u64
  sockets: 7, // nested list of NBD_SOCK_ITEM
  deadConnTimeout: 8, // u64, seconds
  deviceList: 9, // nested list of NBD_DEVICE_ITEM
  backendIdentifier: 10, // string, since 5.14
} as const;
const NBD_SOCK_ITEM = 1;
const NBD_SOCK_FD = 1;
const NBD_DEVICE_ITEM = 1;
const NBD_DEVICE_CONNECTED = 2;

/**
 * Flags of RECONFIGURE (NBD_CFLAG_*, linux/nbd.h). Each time all of them are set anew: what is left
 * out is cleared. Destroying a device is not offered: it also takes away a device the module made at
 * its start, and marks it for good (NBD_DISCONNECT_REQUESTED is never cleared), so that a later CONNECT
 * fails with EINVAL where EBUSY is meant.
 */
const NBD_CLIENT_FLAGS = { disconnectOnClose: 2 } as const;

/**
 * With several connections a time limit of 0 does not mean none: after the block layer's 30 seconds
 * nbd_xmit_timeout() takes the connection for dead and tries the next, until none is left. So there the
 * limit is set as far away as fits into its 32 bits of clock ticks: eleven days.
 */
const MULTI_CONNECTION_TIMEOUT_SECONDS = 1_000_000;

/**
 * Pauses before further tries at a named device that looks busy: udev or blkid may have it open for a
 * moment. Together 0.6 seconds; few, because the kernel logs each failure.
 */
const CONNECT_PAUSES_MS = [20, 40, 80, 160, 320] as const;

/** A device to be connected. */
export interface NbdConnection {
  /** Number of the wanted device; left out, the kernel takes or makes a free one, atomically. */
  readonly index?: number;
  /** The kernel's ends of the connections; may be closed once connected, the kernel has its own hold. */
  readonly sockets: readonly number[];
  /** Size of the device; a rest of less than 512 bytes is cut off by the kernel. */
  readonly sizeBytes: number;
  /** Logical block size, a power of two from 512 to the page size. */
  readonly blockSizeBytes: number;
  /** NBD transmission flags. More than one socket needs NBD_FLAG_CAN_MULTI_CONN. */
  readonly serverFlags: number;
  /**
   * Shown in sysfs, and later asked for by RECONFIGURE, as a protection against touching a device that
   * is another's by now. Silently ignored by kernels before 5.14.
   */
  readonly backend: string;
}

/** Far from those that a socket counts. */
const LEAVE_SEQUENCE = 2 ** 31;

/** See {@link NbdControl.preparedMessages}. */
export interface PreparedMessages {
  /** As {@link NbdControl.disconnect}. */
  readonly disconnect: Uint8Array;
  /** As {@link NbdControl.disconnectOnLastClose}. */
  readonly leave: Uint8Array;
}

/**
 * Has somebody else send {@link PreparedMessages.leave}, and waits for what the kernel says of it.
 *
 * @param control descriptor of the socket it is sent on
 * @throws {NetlinkError} if the kernel refuses
 * @throws {SystemError} EAGAIN if nobody has sent it within ten seconds
 */
export function haveLeave(control: number, send: () => void): void {
  forgetAnswers(control);
  send();
  awaitAnswer(control, { sequence: LEAVE_SEQUENCE, label: "nbd reconfigure" });
}

/** What of a connected device to change. */
export interface NbdChanges {
  /** The identifier given at CONNECT; kernels that know it refuse any other. */
  readonly backend: string;
  readonly clientFlags?: number;
  readonly sizeBytes?: number;
  /** How long requests wait for new sockets when all have ended: 0 at first, they fail at once. */
  readonly deadConnectionSeconds?: number;
  /** The kernel's ends of connections that take the places of dead ones; without a dead one, a socket is not taken. */
  readonly sockets?: readonly number[];
}

/** In older kernels (6.1, not 7.2) its netlink family is one of the first network namespace's: `netnsok` is not set. */
export const NBD_OUT_OF_REACH =
  "the nbd driver cannot be reached: it is not loaded, or listens in " +
  "another network namespace, the system's first";

/**
 * The control socket of the nbd driver.
 *
 * The descriptor that sent CONNECT should live as long as the device: open this before the daemon is
 * started, and let it inherit {@link NbdControl.fd}.
 */
export class NbdControl implements Disposable {
  readonly #socket: GenericNetlinkSocket;
  readonly #familyId: number;

  /**
   * @throws {KernelFeatureError} where there is no nbd driver to be reached; `requireNbd()` says more
   * @throws {SystemError} as socket(2)
   */
  constructor() {
    this.#socket = new GenericNetlinkSocket();
    try {
      this.#familyId = this.#socket.familyId(NBD_FAMILY);
    } catch (error) {
      this.#socket.close();
      const isMissing = error instanceof SystemError && error.errno === ENOENT;
      throw isMissing ? new KernelFeatureError("nbd", NBD_OUT_OF_REACH) : error;
    }
  }

  /** The netlink socket, for others to inherit. */
  get fd(): number {
    return this.#socket.fd;
  }

  /**
   * Connects a device. Returns before it is usable: see `waitUntilUsable()`.
   *
   * @throws {SystemError} with EBUSY if the named device is in use, EPERM for want of CAP_SYS_ADMIN,
   *   EINVAL for impossible parameters
   */
  connect(connection: NbdConnection): { readonly index: number } {
    const attributes = connectAttributes(connection);
    const pauses = connection.index === undefined ? [] : [...CONNECT_PAUSES_MS];
    for (;;) {
      try {
        const reply = this.#command("connect", attributes);
        return { index: unsignedValue(attributeValue(reply, NBD_ATTR.index), 4) };
      } catch (error) {
        const pause = pauses.shift();
        if (pause === undefined || !isPassing(error)) throw error;
        libc().usleep(pause * 1000);
      }
    }
  }

  /**
   * Disconnects a device, whoever uses or owns it: the caller has checked that. The server gets
   * NBD_CMD_DISC. A device that is not connected is no error.
   *
   * @throws {SystemError} with EINVAL if there is no such device
   */
  disconnect(index: number): void {
    this.#command("disconnect", [u32Attribute(NBD_ATTR.index, index)]);
  }

  /** What who cannot do more than send it sends on this socket, each message in one piece. */
  preparedMessages(index: number, backend: string): PreparedMessages {
    const device = u32Attribute(NBD_ATTR.index, index);
    const disconnect = this.#request("disconnect", [device]);
    const leave = this.#request("reconfigure", [
      device,
      stringAttribute(NBD_ATTR.backendIdentifier, backend),
      u64Attribute(NBD_ATTR.clientFlags, NBD_CLIENT_FLAGS.disconnectOnClose),
    ]);
    return {
      disconnect: encodeRequest({ ...disconnect, sequence: 0 }),
      leave: encodeRequest({ ...leave, sequence: LEAVE_SEQUENCE }),
    };
  }

  /**
   * Changes a connected device.
   *
   * @throws {SystemError} with EINVAL if it is not connected or has another backend
   */
  reconfigure(index: number, changes: NbdChanges): void {
    const attributes = [
      u32Attribute(NBD_ATTR.index, index),
      stringAttribute(NBD_ATTR.backendIdentifier, changes.backend),
    ];
    if (changes.clientFlags !== undefined) {
      attributes.push(u64Attribute(NBD_ATTR.clientFlags, changes.clientFlags));
    }
    if (changes.sizeBytes !== undefined) {
      attributes.push(u64Attribute(NBD_ATTR.sizeBytes, changes.sizeBytes));
    }
    if (changes.deadConnectionSeconds !== undefined) {
      attributes.push(u64Attribute(NBD_ATTR.deadConnTimeout, changes.deadConnectionSeconds));
    }
    if (changes.sockets !== undefined) attributes.push(socketsAttribute(changes.sockets));
    this.#command("reconfigure", attributes);
  }

  /**
   * From now on the last close of the device, or of its last partition, disconnects it. Somebody has
   * to hold it open: for a loop device on top of it, that is the loop driver.
   */
  disconnectOnLastClose(index: number, backend: string): void {
    this.reconfigure(index, { backend, clientFlags: NBD_CLIENT_FLAGS.disconnectOnClose });
  }

  /**
   * Detaches as soon as nobody uses the device any more, which may be at once.
   *
   * @param node the device node, opened and closed so that there is a last close
   */
  detachLazily(index: number, { backend, node }: { backend: string; node: string }): void {
    this.disconnectOnLastClose(index, backend);
    openNode(node, O_RDONLY).close();
  }

  /** Whether the device has a configuration; a mere opener of an idle one also gives it one. */
  isConfigured(index: number): boolean {
    const reply = this.#command("status", [u32Attribute(NBD_ATTR.index, index)]);
    const list = decodeAttributes(attributeValue(reply, NBD_ATTR.deviceList) ?? new Uint8Array());
    const device = attributeValue(list, NBD_DEVICE_ITEM);
    if (device === undefined) return false;
    return unsignedValue(attributeValue(decodeAttributes(device), NBD_DEVICE_CONNECTED), 1) !== 0;
  }

  #command(name: keyof typeof NBD_CMD, attributes: Uint8Array[]): Attribute[] {
    return this.#socket.request(this.#request(name, attributes));
  }

  #request(name: keyof typeof NBD_CMD, attributes: Uint8Array[]): Command {
    return {
      familyId: this.#familyId,
      version: NBD_GENL_VERSION,
      command: NBD_CMD[name],
      label: `nbd ${name}`,
      attributes,
    };
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function connectAttributes(connection: NbdConnection): Uint8Array[] {
  const { index, sockets, sizeBytes, blockSizeBytes, serverFlags, backend } = connection;
  if (new TextEncoder().encode(backend).length > NBD_BACKEND_MAX_BYTES) {
    throw new RangeError(`a backend identifier has at most ${NBD_BACKEND_MAX_BYTES} bytes`);
  }
  const timeoutSeconds = sockets.length > 1 ? MULTI_CONNECTION_TIMEOUT_SECONDS : 0;
  return [
    ...(index === undefined ? [] : [u32Attribute(NBD_ATTR.index, index)]),
    u64Attribute(NBD_ATTR.timeout, timeoutSeconds),
    u64Attribute(NBD_ATTR.sizeBytes, sizeBytes),
    u64Attribute(NBD_ATTR.blockSizeBytes, blockSizeBytes),
    u64Attribute(NBD_ATTR.serverFlags, serverFlags),
    socketsAttribute(sockets),
    stringAttribute(NBD_ATTR.backendIdentifier, backend),
  ];
}

function socketsAttribute(sockets: readonly number[]): Uint8Array<ArrayBuffer> {
  const items = sockets.map((fd) =>
    nestedAttribute(NBD_SOCK_ITEM, [u32Attribute(NBD_SOCK_FD, fd)])
  );
  return nestedAttribute(NBD_ATTR.sockets, items);
}

/** Whether another try may succeed: somebody looks at the device (EBUSY), or it is going down (EINVAL). */
function isPassing(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === EBUSY || error.errno === EINVAL);
}
