/**
 * The state of nbd devices as sysfs shows it, and what makes a fresh one ready for use.
 *
 * @module
 */
import { ENODEV, SystemError } from "../sys/errno.ts";
import { writeAttribute } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import {
  diskAttribute,
  diskExists,
  diskSizeBytes,
  isDiskReadOnly,
  kernelDeviceNumber,
  nodePath,
  SECTOR_BYTES,
  setDiskReadOnly,
} from "./block_devices.ts";
import { ensureBlockNode } from "./device_nodes.ts";
import { diskAttributePath, requireSysfs } from "./sysfs_disks.ts";

const PREFIX = "nbd";

/**
 * The driver prints a backend identifier into one page of sysfs, without looking at its length. Well
 * below.
 */
export const NBD_BACKEND_MAX_BYTES = 1024;

/** How long a size may take to show after CONNECT, or to vanish after DISCONNECT. */
const SETTLE = { attempts: 200, pauseMicroseconds: 10_000 } as const;

/** What the kernel says of one nbd device. */
export interface NbdDevice {
  readonly index: number;
  /** Kernel name, for example `nbd0`. */
  readonly name: string;
  /** Node, for example `/dev/nbd0`. */
  readonly path: string;
  /**
   * Whether it has a connection, dead or alive. Stays true after a disconnection until the last opener
   * has closed, and after the server's death until somebody disconnects it.
   */
  readonly connected: boolean;
  /** Thread that sent CONNECT, which may be long gone; 0 if not connected. */
  readonly connectorThread: number;
  /** BACKEND_IDENTIFIER of the connection, undefined before kernel 5.14. */
  readonly backend?: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
}

/** How the block layer should treat a device; what the kernel refuses is left as it is. */
export interface QueueSettings {
  readonly scheduler?: string;
  /** Largest request, in KiB. */
  readonly maxSectorsKb?: number;
  readonly readAheadKb?: number;
  /**
   * How long the driver waits for an answer before it looks after a request, which it sends once more if
   * its socket was replaced, and mentions in the kernel's log if not. Those under way keep what they
   * began with. Here since Linux 5.0; where newer ones change it, they wait for the requests under way.
   */
  readonly ioTimeoutMs?: number;
}

const QUEUE_ATTRIBUTES = {
  scheduler: "queue/scheduler",
  maxSectorsKb: "queue/max_sectors_kb",
  readAheadKb: "queue/read_ahead_kb",
  ioTimeoutMs: "queue/io_timeout",
} as const satisfies Record<keyof QueueSettings, string>;

/** Number of the nbd device with that kernel name or node (`nbd3`, `/dev/nbd3`), if it is one. */
export function nbdIndex(name: string): number | undefined {
  const match = /^(?:\/dev\/)?nbd(0|[1-9]\d*)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** Kernel name of an nbd device. */
export function nbdName(index: number): string {
  return `${PREFIX}${index}`;
}

/**
 * What the kernel says of an nbd device, or undefined if it has none of that number.
 *
 * @throws {KernelFeatureError} if sysfs is not mounted
 */
export function nbdDevice(index: number): NbdDevice | undefined {
  requireSysfs();
  const name = nbdName(index);
  if (!diskExists(name)) return undefined;
  const pid = diskAttribute(name, "pid");
  const backend = diskAttribute(name, "backend");
  return {
    index,
    name,
    path: nodePath(name),
    connected: pid !== undefined,
    connectorThread: Number(pid ?? 0),
    ...(backend === undefined ? {} : { backend }),
    sizeBytes: diskSizeBytes(name),
    readOnly: isDiskReadOnly(name),
  };
}

/** What a device should be before its user is told of it. */
export interface ExpectedDevice {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly queue?: QueueSettings;
}

/**
 * Waits until a device that was just connected has its size and its node, and sets its queue up.
 * Opens it only if it has to make it read-only.
 *
 * @returns the node's path
 * @throws {SystemError} with ENODEV if it does not get ready in about two seconds
 */
export function waitUntilUsable(index: number, expected: ExpectedDevice): string {
  const name = nbdName(index);
  const sizeBytes = expected.sizeBytes - expected.sizeBytes % SECTOR_BYTES;
  const sized = waitFor(() => diskSizeBytes(name) === sizeBytes);
  const number = kernelDeviceNumber(name);
  if (!sized || number === undefined) throw new SystemError("wait", ENODEV, nodePath(name));
  const path = ensureBlockNode(name, number);
  tuneQueue(name, expected.queue ?? {});
  if (isDiskReadOnly(name) !== expected.readOnly) setDiskReadOnly(path, expected.readOnly);
  return path;
}

/**
 * Waits until a device shows as not connected.
 *
 * @returns false if it still did after about two seconds: somebody has it open
 */
export function waitUntilDisconnected(index: number): boolean {
  return waitFor(() => diskAttribute(nbdName(index), "pid") === undefined);
}

/**
 * Applies queue settings to a disk, as far as its kernel allows. What is so already is left alone:
 * each change makes the kernel wait until nobody can have a request under way, for 10 to 25 ms.
 */
export function tuneQueue(name: string, settings: QueueSettings): void {
  for (const [key, attribute] of Object.entries(QUEUE_ATTRIBUTES)) {
    const value = settings[key as keyof QueueSettings];
    if (value === undefined || chosen(diskAttribute(name, attribute)) === String(value)) continue;
    tryAttribute(diskAttributePath(name, attribute), String(value));
  }
}

/** An attribute's value; of several to choose from, such as `[none] mq-deadline`, the chosen one. */
function chosen(attribute = ""): string {
  return /\[(.*)\]/.exec(attribute)?.[1] ?? attribute;
}

function tryAttribute(path: string, value: string): void {
  try {
    writeAttribute(path, value);
  } catch (error) {
    // Older kernels lack some attributes, newer ones bound the values: the defaults work, too.
    if (!(error instanceof SystemError)) throw error;
  }
}

function waitFor(condition: () => boolean): boolean {
  for (let attempt = 0; attempt < SETTLE.attempts; attempt++) {
    if (condition()) return true;
    libc().usleep(SETTLE.pauseMicroseconds);
  }
  return condition();
}
