/**
 * The structures of the loop driver's ioctls (linux/loop.h), as bytes.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import { decodeText } from "../sys/text.ts";
import { decodeDevice, type DeviceNumber } from "./device_numbers.ts";

const NAME_BYTES = 64; // LO_NAME_SIZE

/** struct loop_info64 */
const LOOP_INFO = {
  device: 0, // u64, of the file system the backing file lies on
  inode: 8, // u64
  rdevice: 16, // u64, of the backing file if that is a device
  offset: 24, // u64
  sizeLimit: 32, // u64
  number: 40, // u32
  flags: 52, // u32
  fileName: 56, // u8[64]
  size: 232,
} as const;

/** struct loop_config */
const LOOP_CONFIG = { fd: 0, blockSize: 4, info: 8, size: 8 + LOOP_INFO.size + 64 } as const;

/** Size of what LOOP_GET_STATUS64 fills. */
export const LOOP_INFO_BYTES = LOOP_INFO.size;
/** Where in a loop_config the loop_info64 lies. */
export const LOOP_CONFIG_INFO = LOOP_CONFIG.info;

/** LO_FLAGS_* */
export const LO_FLAGS = { readOnly: 1, autoClear: 4, partScan: 8, directIo: 16 } as const;

/** What a loop device is attached to. */
export interface LoopStatus {
  readonly number: number;
  readonly offsetBytes: number;
  /** 0: up to the end of the backing file. */
  readonly sizeLimitBytes: number;
  readonly readOnly: boolean;
  /** Whether the device is detached when its last user closes it. */
  readonly autoClear: boolean;
  readonly partScan: boolean;
  readonly directIo: boolean;
  /** The label given at attaching, by custom the backing path, cut to 63 bytes. */
  readonly fileName: string;
  /** Device of the file system the backing file lies on, and the file's inode there. */
  readonly backingDevice: DeviceNumber;
  readonly backingInode: bigint;
  /** The device the backing file is, 0:0 if it is a regular file. */
  readonly backingSpecial: DeviceNumber;
}

/** What goes into a loop_config. */
export interface LoopConfig {
  /** The backing file, open as the device is to be used. */
  readonly fd: number;
  readonly blockSizeBytes: number;
  readonly offsetBytes: number;
  readonly sizeLimitBytes: number;
  readonly flags: number;
  readonly fileName: string;
}

/** A struct loop_config with its address. */
export function encodeLoopConfig(config: LoopConfig): IoBuffer {
  const buffer = new IoBuffer(LOOP_CONFIG.size);
  const { view, bytes } = buffer;
  view.setUint32(LOOP_CONFIG.fd, config.fd, true);
  view.setUint32(LOOP_CONFIG.blockSize, config.blockSizeBytes, true);
  const info = LOOP_CONFIG.info;
  view.setBigUint64(info + LOOP_INFO.offset, BigInt(config.offsetBytes), true);
  view.setBigUint64(info + LOOP_INFO.sizeLimit, BigInt(config.sizeLimitBytes), true);
  view.setUint32(info + LOOP_INFO.flags, config.flags, true);
  const name = new TextEncoder().encode(config.fileName).subarray(0, NAME_BYTES - 1);
  bytes.set(name, info + LOOP_INFO.fileName);
  return buffer;
}

/** A struct loop_info64 in words. */
export function decodeLoopStatus(view: DataView<ArrayBuffer>): LoopStatus {
  const flags = view.getUint32(LOOP_INFO.flags, true);
  const u64 = (offset: number): number => Number(view.getBigUint64(offset, true));
  return {
    number: view.getUint32(LOOP_INFO.number, true),
    offsetBytes: u64(LOOP_INFO.offset),
    sizeLimitBytes: u64(LOOP_INFO.sizeLimit),
    readOnly: (flags & LO_FLAGS.readOnly) !== 0,
    autoClear: (flags & LO_FLAGS.autoClear) !== 0,
    partScan: (flags & LO_FLAGS.partScan) !== 0,
    directIo: (flags & LO_FLAGS.directIo) !== 0,
    fileName: nameOf(new Uint8Array(view.buffer, LOOP_INFO.fileName, NAME_BYTES)),
    backingDevice: decodeDevice(u64(LOOP_INFO.device)),
    backingInode: view.getBigUint64(LOOP_INFO.inode, true),
    backingSpecial: decodeDevice(u64(LOOP_INFO.rdevice)),
  };
}

function nameOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end));
}

/** Takes the "detach with the last close" flag out of a struct loop_info64. */
export function clearAutoClear(view: DataView<ArrayBuffer>): void {
  const flags = view.getUint32(LOOP_INFO.flags, true);
  view.setUint32(LOOP_INFO.flags, (flags & ~LO_FLAGS.autoClear) >>> 0, true);
}
