/**
 * Kernel loop devices (linux/loop.h, drivers/block/loop.c).
 *
 * @module
 */
import {
  checked,
  EBUSY,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOSYS,
  ENXIO,
  SystemError,
} from "../sys/errno.ts";
import { Fd, fileExists, O_RDONLY, O_RDWR, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import {
  blockDeviceName,
  diskAttribute,
  ensureBlockNode,
  ensureCharacterNode,
  kernelDeviceNumber,
} from "./block_devices.ts";
import {
  clearAutoClear,
  decodeLoopStatus,
  encodeLoopConfig,
  LO_FLAGS,
  LOOP_CONFIG_INFO,
  LOOP_INFO_BYTES,
  type LoopStatus,
} from "./loop_layout.ts";

const LOOP_SET_FD = 0x4c00;
const LOOP_CLR_FD = 0x4c01;
const LOOP_SET_STATUS64 = 0x4c04;
const LOOP_GET_STATUS64 = 0x4c05;
const LOOP_SET_DIRECT_IO = 0x4c08;
const LOOP_SET_BLOCK_SIZE = 0x4c09;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_GET_FREE = 0x4c82;

const CONTROL = {
  name: "loop-control",
  path: "/dev/loop-control",
  number: { major: 10, minor: 237 },
};
/** A minor number has 20 bits (linux/kdev_t.h). */
const MAX_LOOP_NUMBER = 2 ** 20 - 1;
const LOOP_SET_CAPACITY = 0x4c07;
const LOOP_MAJOR = 7;
const ENOTTY = 25;
/** What kernels before 5.8 answer to LOOP_CONFIGURE, as util-linux has found. */
const NO_LOOP_CONFIGURE: readonly number[] = [EINVAL, ENOTTY, ENOSYS];

/** Tries to get a free device while others take them away from under us. */
const FREE_ATTEMPTS = 16;

/** What to attach, and how. */
export interface LoopAttachment {
  /** Node of the loop device, which may not exist yet; left out, a free one is taken. */
  readonly device?: string;
  /** A regular file or a block device. */
  readonly backingPath: string;
  readonly readOnly: boolean;
  /** Whether to go around the page cache of the backing file; where it cannot be, it is not. */
  readonly directIo: boolean;
  readonly partScan: boolean;
  /** Logical block size, 512 to the page size. */
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
    const info = new IoBuffer(LOOP_INFO_BYTES);
    const { number } = this.#fd;
    checked(libc().ioctl(number, LOOP_GET_STATUS64, info.address), "ioctl LOOP_GET_STATUS64");
    clearAutoClear(info.view);
    checked(libc().ioctl(number, LOOP_SET_STATUS64, info.address), "ioctl LOOP_SET_STATUS64");
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
  using backing = openFile(attachment.backingPath, attachment.readOnly ? O_RDONLY : O_RDWR);
  const setUp = (path: string): OpenLoop => ({
    path,
    fd: configure(path, backing.number, attachment, flags),
  });
  if (attachment.device !== undefined) return setUp(loopNode(attachment.device));
  for (let attempt = 1;; attempt++) {
    try {
      return setUp(freeLoopDevice());
    } catch (error) {
      const taken = error instanceof SystemError && error.errno === EBUSY;
      if (!taken || attempt === FREE_ATTEMPTS) throw error;
    }
  }
}

/**
 * Detaches a loop device. One that is still in use is detached when its last user has closed it
 * (always so since about 6.11: that includes the opening made here, and anything udev does meanwhile).
 *
 * @throws {SystemError} with ENXIO if it is not attached
 */
export function detachLoop(device: string): void {
  using loop = openFile(device, O_RDONLY);
  checked(libc().ioctl(loop.number, LOOP_CLR_FD, 0), "ioctl LOOP_CLR_FD", device);
}

/**
 * What a loop device is attached to, or undefined if it is attached to nothing.
 *
 * @throws {SystemError} as open(2) and ioctl(2)
 */
export function loopStatus(device: string): LoopStatus | undefined {
  using loop = openFile(device, O_RDONLY);
  const info = new IoBuffer(LOOP_INFO_BYTES);
  const result = libc().ioctl(loop.number, LOOP_GET_STATUS64, info.address);
  if (result < 0 && lastErrno() === ENXIO) return undefined;
  checked(result, "ioctl LOOP_GET_STATUS64", device);
  return decodeLoopStatus(info.view);
}

/**
 * Has a loop device take the size its backing file has now.
 *
 * @throws {SystemError} with ENXIO if it is not attached
 */
export function setLoopCapacity(device: string): void {
  using loop = openFile(device, O_RDONLY);
  checked(libc().ioctl(loop.number, LOOP_SET_CAPACITY, 0), "ioctl LOOP_SET_CAPACITY", device);
}

/** The file or device below a loop device as sysfs names it; undefined if it is not attached. */
export function loopBackingPath(name: string): string | undefined {
  return diskAttribute(name, "loop/backing_file");
}

/** Number in a loop device's name (`loop3`, `/dev/loop3`), if it is one. */
export function loopNumber(name: string): number | undefined {
  const match = /^(?:\/dev\/)?loop(\d+)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/**
 * The node of a loop device, which is made where the kernel does not have it yet.
 *
 * @throws {SystemError} with ENODEV if that is no loop device's name
 */
function loopNode(device: string): string {
  const number = loopNumber(device);
  if (number === undefined || number > MAX_LOOP_NUMBER || fileExists(device)) {
    if (blockDeviceName(device)?.startsWith("loop") === true) return device;
    throw new SystemError("open", ENODEV, device);
  }
  using control = openControl();
  const result = libc().ioctl(control.number, LOOP_CTL_ADD, number);
  if (result < 0 && lastErrno() !== EEXIST) {
    throw new SystemError("ioctl LOOP_CTL_ADD", lastErrno(), device);
  }
  return nodeOf(number);
}

/** Node of the first loop device that is not attached, made if all are. */
export function freeLoopDevice(): string {
  using control = openControl();
  return nodeOf(checked(libc().ioctl(control.number, LOOP_CTL_GET_FREE, 0), "find a free device"));
}

function nodeOf(number: number): string {
  const name = `loop${number}`;
  return ensureBlockNode(name, kernelDeviceNumber(name) ?? { major: LOOP_MAJOR, minor: number });
}

function openControl(): Fd {
  if (!fileExists(CONTROL.path)) ensureCharacterNode(CONTROL.name, CONTROL.number);
  return openFile(CONTROL.path, O_RDWR);
}

/** Returns the open device. */
function configure(
  device: string,
  backing: number,
  attachment: LoopAttachment,
  flags: number,
): Fd {
  const loop = openFile(device, attachment.readOnly ? O_RDONLY : O_RDWR);
  try {
    configureOpen(loop, { device, backing, attachment, flags });
    return loop;
  } catch (error) {
    loop.close();
    throw error;
  }
}

interface OpenSetup {
  readonly device: string;
  readonly backing: number;
  readonly attachment: LoopAttachment;
  readonly flags: number;
}

function configureOpen(loop: Fd, { device, backing, attachment, flags }: OpenSetup): void {
  const config = encodeLoopConfig({
    fd: backing,
    blockSizeBytes: attachment.sectorSizeBytes,
    offsetBytes: attachment.offsetBytes ?? 0,
    sizeLimitBytes: attachment.sizeLimitBytes ?? 0,
    flags: flagsOf(attachment) | flags,
    fileName: attachment.label ?? attachment.backingPath,
  });
  if (libc().ioctl(loop.number, LOOP_CONFIGURE, config.address) >= 0) return;
  const errno = lastErrno();
  if (!NO_LOOP_CONFIGURE.includes(errno)) {
    throw new SystemError("ioctl LOOP_CONFIGURE", errno, device);
  }
  configureStepwise(loop.number, { device, backing, config, attachment });
}

function flagsOf({ readOnly, directIo, partScan }: LoopAttachment): number {
  return (readOnly ? LO_FLAGS.readOnly : 0) | (partScan ? LO_FLAGS.partScan : 0) |
    (directIo ? LO_FLAGS.directIo : 0);
}

interface Steps {
  readonly device: string;
  readonly backing: number;
  readonly config: IoBuffer;
  readonly attachment: LoopAttachment;
}

/** What LOOP_CONFIGURE does, on kernels before 5.8. Here read-only comes from how the files are open. */
function configureStepwise(loop: number, { device, backing, config, attachment }: Steps): void {
  checked(libc().ioctl(loop, LOOP_SET_FD, backing), "ioctl LOOP_SET_FD", device);
  try {
    if (attachment.sectorSizeBytes !== 512) {
      const result = libc().ioctl(loop, LOOP_SET_BLOCK_SIZE, attachment.sectorSizeBytes);
      checked(result, "ioctl LOOP_SET_BLOCK_SIZE", device);
    }
    const info = config.address + LOOP_CONFIG_INFO;
    checked(libc().ioctl(loop, LOOP_SET_STATUS64, info), "ioctl LOOP_SET_STATUS64", device);
  } catch (error) {
    libc().ioctl(loop, LOOP_CLR_FD, 0);
    throw error;
  }
  if (attachment.directIo) libc().ioctl(loop, LOOP_SET_DIRECT_IO, 1);
}
