/**
 * Making a node for a device.
 *
 * @module
 */
import { lastErrno, libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";
import { type DeviceNumber, encodeDevice } from "./device_numbers.ts";

const TYPES = { block: 0o060000, /* S_IFBLK */ character: 0o020000 /* S_IFCHR */ } as const;
const AT_FDCWD = -100;
/** mknodat(2) by number: glibc exports a function for it only since 2.33. */
const SYS_MKNODAT = { x86_64: 259, aarch64: 33 } as const;

/** A node and the device it stands for. */
export interface Node {
  readonly path: string;
  readonly kind: keyof typeof TYPES;
  readonly number: DeviceNumber;
}

/**
 * Makes a node that its owner may read and write.
 *
 * @returns 0 or an error number
 */
export function makeNode({ path, kind, number }: Node): number {
  const name = cString(path);
  const mode = TYPES[kind] | 0o600;
  const call = SYS_MKNODAT[Deno.build.arch];
  const device = encodeDevice(number);
  const result = libc().syscall(call, AT_FDCWD, addressOf(name), mode, device, 0, 0);
  return Number(result) < 0 ? lastErrno() : 0;
}
