/**
 * Kernel loop devices (linux/loop.h, drivers/block/loop.c): attaching, changing, detaching.
 *
 * @module
 */
import { EINVAL, ENOSYS, ENOTTY, EPERM, SystemError } from "../sys/errno.ts";
import { type Fd, type LentFd, O_RDONLY, O_RDWR } from "../sys/files.ts";
import { IoBuffer } from "../sys/memory.ts";
import { openNode } from "./device_nodes.ts";
import { type Backing, openBacking } from "./loop_backing.ts";
import { loopNode, onFreeLoop, onHighLoop } from "./loop_control.ts";
import { type LoopCall, type LoopIoctl, loopIoctl, tryLoopIoctl } from "./loop_ioctl.ts";
import {
  clearAutoClear,
  encodeLoopConfig,
  LO_FLAGS,
  LOOP_CONFIG_INFO,
  LOOP_INFO_BYTES,
} from "./loop_layout.ts";

/** What kernels before 5.8 answer to LOOP_CONFIGURE, as util-linux has found. */
const NO_LOOP_CONFIGURE: readonly number[] = [EINVAL, ENOTTY, ENOSYS];

/**
 * Whether to go around the page cache of the backing file: `required` opens it so, which fails where
 * it cannot be; `preferred` leaves it to the driver.
 */
export type LoopDirectIo = "no" | "preferred" | "required";

/** What to attach, and how. */
export interface LoopAttachment {
  /** Node of the loop device, which may not exist yet; left out, a free one is taken. */
  readonly device?: string;
  /** Whether the free one is to be out of the way, with a large number. */
  readonly high?: boolean;
  /** A regular file or a block device. */
  readonly backingPath: string;
  /**
   * The backing file, open already: the driver keeps this very description, with the locks on it. It is
   * open as the device is to be used.
   */
  readonly backing?: LentFd;
  /** Where the backing file is write-protected, the device is read-only all the same. */
  readonly readOnly: boolean;
  readonly directIo: LoopDirectIo;
  readonly partScan: boolean;
  /** Logical block size, 512 to the page size; 0 is the kernel's choice. */
  readonly sectorSizeBytes: number;
  readonly offsetBytes?: number;
  /** 0 or left out: up to the end of the backing file. */
  readonly sizeLimitBytes?: number;
  /** What `losetup -O REF` shows; the backing path if left out. Cut to 63 bytes. */
  readonly label?: string;
}

/**
 * Sets a loop device up.
 *
 * @returns the device's node
 * @throws {NoFreeLoopError} if none was named and none can be had
 * @throws {SystemError} with EBUSY if the named device is in use, or as open(2) and ioctl(2)
 */
export function attachLoop(attachment: LoopAttachment): string {
  const { path, fd } = attach(attachment, 0);
  fd.close();
  return path;
}

/** A loop device that the kernel detaches if its maker ends before it has said that it is to stay. */
export class ProvisionalLoop implements Disposable {
  readonly path: string;
  readonly #fd: Fd;

  /** @throws as {@link attachLoop} */
  constructor(attachment: LoopAttachment) {
    const { path, fd } = attach(attachment, LO_FLAGS.autoClear);
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Has it stay.
   *
   * @throws {SystemError} as ioctl(2)
   */
  keep(): void {
    keepOpenLoop({ path: this.path, fd: this.#fd });
  }

  /** Lets go of it: if it was not to stay, it is detached. */
  [Symbol.dispose](): void {
    this.#fd.close();
  }
}

interface OpenLoop {
  readonly path: string;
  readonly fd: Fd;
}

function attach(attachment: LoopAttachment, flags: number): OpenLoop {
  const { device, high = false } = attachment;
  using backing = openBacking(attachment);
  const setUp = (path: string): OpenLoop => configure(path, { backing, attachment, flags });
  if (device !== undefined) return setUp(loopNode(device));
  return high ? onHighLoop(setUp) : onFreeLoop(setUp);
}

interface Setup {
  readonly backing: Backing;
  readonly attachment: LoopAttachment;
  /** LO_FLAGS_* beside those of the attachment. */
  readonly flags: number;
}

function configure(path: string, setup: Setup): OpenLoop {
  const loop = { path, fd: openNode(path, setup.backing.readOnly ? O_RDONLY : O_RDWR) };
  try {
    configureOpen(loop, setup);
    return loop;
  } catch (error) {
    loop.fd.close();
    throw error;
  }
}

function configureOpen(loop: OpenLoop, { backing, attachment, flags }: Setup): void {
  const config = encodeLoopConfig({
    fd: backing.fd.number,
    blockSizeBytes: attachment.sectorSizeBytes,
    offsetBytes: attachment.offsetBytes ?? 0,
    sizeLimitBytes: attachment.sizeLimitBytes ?? 0,
    flags: flagsOf(attachment) | (backing.readOnly ? LO_FLAGS.readOnly : 0) | flags,
    fileName: attachment.label ?? attachment.backingPath,
  });
  const result = tryLoopIoctl("LOOP_CONFIGURE", { ...loop, argument: config.address });
  if (result.ok) return;
  if (!NO_LOOP_CONFIGURE.includes(result.errno)) {
    throw new SystemError("ioctl LOOP_CONFIGURE", result.errno, loop.path);
  }
  configureStepwise(loop, { backing: backing.fd.number, config, attachment });
}

function flagsOf({ directIo, partScan }: LoopAttachment): number {
  return (partScan ? LO_FLAGS.partScan : 0) | (directIo === "no" ? 0 : LO_FLAGS.directIo);
}

interface Steps {
  readonly backing: number;
  readonly config: IoBuffer;
  readonly attachment: LoopAttachment;
}

/** What LOOP_CONFIGURE does, on kernels before 5.8. Here read-only comes from how the files are open. */
function configureStepwise(loop: OpenLoop, { backing, config, attachment }: Steps): void {
  loopIoctl("LOOP_SET_FD", { ...loop, argument: backing });
  try {
    const { sectorSizeBytes } = attachment;
    if (sectorSizeBytes !== 0 && sectorSizeBytes !== 512) {
      loopIoctl("LOOP_SET_BLOCK_SIZE", { ...loop, argument: sectorSizeBytes });
    }
    loopIoctl("LOOP_SET_STATUS64", { ...loop, argument: config.address + LOOP_CONFIG_INFO });
  } catch (error) {
    tryLoopIoctl("LOOP_CLR_FD", loop);
    throw error;
  }
  if (attachment.directIo !== "no") tryLoopIoctl("LOOP_SET_DIRECT_IO", { ...loop, argument: 1 });
}

/**
 * Detaches a loop device. One that is still in use is detached when its last user has closed it
 * (always so since about 6.11: that includes the opening made here, and anything udev does meanwhile).
 *
 * @throws {SystemError} with ENXIO if it is not attached
 */
export function detachLoop(device: string): void {
  using loop = openLoop(device);
  loopIoctl("LOOP_CLR_FD", loop);
}

/**
 * Has a loop device take the size its backing file has now.
 *
 * @throws {SystemError} with ENXIO if it is not attached
 */
export function setLoopCapacity(device: string): void {
  using loop = openLoop(device);
  change("LOOP_SET_CAPACITY", loop);
}

/**
 * Switches direct I/O to the backing file on or off.
 *
 * @throws {SystemError} with ENXIO if it is not attached, EINVAL if its backing file cannot do it
 */
export function setLoopDirectIo(device: string, wanted: "on" | "off"): void {
  using loop = openLoop(device);
  change("LOOP_SET_DIRECT_IO", { ...loop, argument: wanted === "on" ? 1 : 0 });
}

/**
 * Sets the logical block size.
 *
 * @throws {SystemError} with ENXIO if it is not attached, EINVAL for impossible sizes
 */
export function setLoopBlockSize(device: string, sectorSizeBytes: number): void {
  using loop = openLoop(device);
  change("LOOP_SET_BLOCK_SIZE", { ...loop, argument: sectorSizeBytes });
}

/**
 * Has a loop device stay that was to be detached with its last close.
 *
 * @throws {SystemError} with ENXIO if it is not attached
 */
export function keepLoop(device: string): void {
  using loop = openLoop(device);
  keepOpenLoop(loop);
}

function keepOpenLoop(loop: OpenLoop): void {
  const info = new IoBuffer(LOOP_INFO_BYTES);
  loopIoctl("LOOP_GET_STATUS64", { ...loop, argument: info.address });
  clearAutoClear(info.view);
  change("LOOP_SET_STATUS64", { ...loop, argument: info.address });
}

/**
 * Changes a device that is set up. The kernel lets do so whoever is root of the whole system, not only of a
 * user namespace, or has the device open for writing, even a read-only one: which udev looks at each time.
 */
function change(name: LoopIoctl, call: LoopCall): void {
  const result = tryLoopIoctl(name, call);
  if (result.ok) return;
  if (result.errno !== EPERM) throw new SystemError(`ioctl ${name}`, result.errno, call.path);
  using writable = openLoop(call.path, O_RDWR);
  loopIoctl(name, { ...call, fd: writable.fd });
}

function openLoop(path: string, flags = O_RDONLY): OpenLoop & Disposable {
  const fd = openNode(path, flags);
  return { path, fd, [Symbol.dispose]: () => fd.close() };
}
