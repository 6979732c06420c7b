/**
 * /dev/loop-control: which loop devices there are, and their nodes (drivers/block/loop.c,
 * `loop_control_ioctl`).
 *
 * @module
 */
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOENT,
  ENXIO,
  ifPossible,
  SystemError,
} from "../sys/errno.ts";
import { type Fd, fileExists, O_RDWR, openFile } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { blockDeviceName, diskExists, kernelDeviceNumber } from "./block_devices.ts";
import { ensureBlockNode, ensureCharacterNode } from "./device_nodes.ts";
import { blockDeviceNumber, LOOP_MAJOR } from "./device_numbers.ts";
import { loopIoctl, tryLoopIoctl } from "./loop_ioctl.ts";
import { loopBackingPath, loopNumber } from "./loop_status.ts";
import { hasSysfs } from "./sysfs_disks.ts";
import { HIGH_LOOPS } from "./view_labels.ts";

const CONTROL = {
  name: "loop-control",
  path: "/dev/loop-control",
  number: { major: 10, minor: 237 },
};
/** A minor number has 20 bits (linux/kdev_t.h). */
const MAX_LOOP_NUMBER = 2 ** 20 - 1;

/**
 * Tries to get a free device while others take them away from under us: 64, as in losetup. The
 * pauses grow to losetup's 200 ms, and differ, so that many at once do not keep meeting.
 */
const FREE = { attempts: 64, shortestPauseMs: 2, longestPauseMs: 200 } as const;

/** No free loop device could be found or made; the cause is the system's error. */
export class NoFreeLoopError extends Error {
  override readonly name = "NoFreeLoopError";

  constructor(override readonly cause: SystemError) {
    super(cause.message);
  }
}

/**
 * Node of the first loop device that is not attached, made if all are.
 *
 * @throws {NoFreeLoopError} if that cannot be
 */
export function freeLoopDevice(): string {
  try {
    using control = openControl();
    const number = loopIoctl("LOOP_CTL_GET_FREE", { fd: control, path: CONTROL.path });
    return nodeOf(number);
  } catch (error) {
    throw error instanceof SystemError ? new NoFreeLoopError(error) : error;
  }
}

/**
 * Has `setUp` take a free device, and another one if somebody else was faster.
 *
 * @throws {NoFreeLoopError} if there is none, and what `setUp` throws
 */
export function onFreeLoop<T>(setUp: (path: string) => T): T {
  for (let attempt = 1;; attempt++) {
    try {
      return setUp(freeLoopDevice());
    } catch (error) {
      if (!isTaken(error) || attempt === FREE.attempts) throw error;
      libc().usleep(Math.round(pauseMs(attempt) * 1000));
    }
  }
}

/**
 * As {@link onFreeLoop}, for a device that nobody is to know by its number: the small ones, which people
 * and scripts name, stay free.
 */
export function onHighLoop<T>(setUp: (path: string) => T): T {
  let obstacle = new SystemError("ioctl LOOP_CONFIGURE", EBUSY, `/dev/loop${HIGH_LOOPS.first}`);
  for (let number: number = HIGH_LOOPS.first; number <= HIGH_LOOPS.last; number++) {
    const name = `loop${number}`;
    if (loopBackingPath(name) !== undefined) continue;
    try {
      // Without sysfs, only trying tells which devices there are.
      if (!diskExists(name) && !makeLoop(number) && hasSysfs()) continue;
      return setUp(nodeOf(number));
    } catch (error) {
      if (!(error instanceof SystemError) || !isOthers(error)) throw error;
      obstacle = error;
    }
  }
  throw new NoFreeLoopError(obstacle);
}

/** False if somebody else makes it just now. */
function makeLoop(number: number): boolean {
  using control = openControl();
  const call = { fd: control, path: CONTROL.path, argument: number };
  const added = tryLoopIoctl("LOOP_CTL_ADD", call);
  if (added.ok || added.errno === EEXIST) return added.ok;
  throw new SystemError("ioctl LOOP_CTL_ADD", added.errno, `/dev/loop${number}`);
}

/** Taken, or being made or removed: the kernel shows a device some moments longer than it can be opened. */
function isOthers(error: SystemError): boolean {
  const isMoving = error.errno === ENXIO || error.errno === ENODEV || error.errno === ENOENT;
  return isMoving || isTaken(error);
}

function isTaken(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === EBUSY || error.errno === EAGAIN);
}

function pauseMs(attempt: number): number {
  const longest = Math.min(FREE.longestPauseMs, FREE.shortestPauseMs * 2 ** attempt);
  return longest * (0.25 + 0.75 * Math.random());
}

/**
 * The node of a loop device. Device and node are made where they are missing; of a node that is there
 * (in a static /dev), the kernel may not have the device yet.
 *
 * @throws {SystemError} with ENODEV if that is no loop device's name, or as mknod(2)
 */
export function loopNode(device: string): string {
  const number = loopNumber(device);
  if (fileExists(device)) {
    if (!isLoopDevice(device)) throw new SystemError("open", ENODEV, device);
    // What cannot be added may be there all the same: opening it will tell.
    ifPossible(() => addLoop(numberAtEnd(device), device));
    return number === undefined ? device : nodeOf(number);
  }
  if (number === undefined || number > MAX_LOOP_NUMBER) {
    throw new SystemError("open", ENODEV, device);
  }
  addLoop(number, device);
  return nodeOf(number);
}

function addLoop(number: number | undefined, device: string): void {
  if (number === undefined || diskExists(`loop${number}`)) return;
  using control = openControl();
  const call = { fd: control, path: CONTROL.path, argument: number };
  const added = tryLoopIoctl("LOOP_CTL_ADD", call);
  if (added.ok || added.errno === EEXIST) return;
  throw new SystemError("ioctl LOOP_CTL_ADD", added.errno, device);
}

/** Whether a path leads to a loop device, attached or not, or to the node of one there may be. */
export function isLoopDevice(path: string): boolean {
  return loopNumber(blockDeviceName(path) ?? "") !== undefined ||
    blockDeviceNumber(path)?.major === LOOP_MAJOR;
}

/**
 * Has the kernel forget a loop device that is not attached.
 *
 * @param device its name in the form `/dev/loopN` or `/dev/loop/N`
 * @throws {SystemError} with EINVAL if that is no such name, EBUSY if it is attached or open, ENODEV
 *   if there is none of that number
 */
export function removeLoop(device: string): void {
  const number = numberAtEnd(device);
  if (number === undefined) throw new SystemError("ioctl LOOP_CTL_REMOVE", EINVAL, device);
  using control = openControl();
  loopIoctl("LOOP_CTL_REMOVE", { fd: control, path: CONTROL.path, argument: number });
}

/** The number in the last part of a path, as losetup reads it. */
function numberAtEnd(device: string): number | undefined {
  const number = /\/(?:loop)?(\d+)[^/]*$/.exec(device)?.[1];
  return number === undefined ? undefined : Number(number);
}

function nodeOf(number: number): string {
  const name = `loop${number}`;
  return ensureBlockNode(name, kernelDeviceNumber(name) ?? { major: LOOP_MAJOR, minor: number });
}

function openControl(): Fd {
  if (!fileExists(CONTROL.path)) ensureCharacterNode(CONTROL.name, CONTROL.number);
  return openFile(CONTROL.path, O_RDWR);
}
