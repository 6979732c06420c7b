/**
 * Capabilities (capabilities(7), linux/capability.h): what of the superuser's power a thread has.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";
import { addressOf } from "./memory.ts";
import { SYSTEM_CALLS, type SystemCall } from "./system_calls.ts";

/** Numbers of the capabilities that are named here. */
export const Capability = {
  /** Files and folders of others, whatever their modes say. */
  DacOverride: 1,
  /** Those, for reading. */
  DacReadSearch: 2,
  /** Here: buffers of sockets beyond the system's limit. */
  NetAdmin: 12,
} as const;
export type Capability = typeof Capability[keyof typeof Capability];

// _LINUX_CAPABILITY_VERSION_3
const VERSION = 0x20080522;
/** struct __user_cap_data_struct: effective, permitted, inheritable; the second one has bits 32 to 63. */
const DATA_WORDS = 6;

/**
 * The call by which a thread keeps `kept` of its capabilities, and loses all others for good. It can be
 * made for as long as this object is referenced.
 */
export class KeepCapabilities implements SystemCall {
  readonly number = SYSTEM_CALLS.capset;
  readonly #header = new Uint8Array(new ArrayBuffer(8));
  readonly #data = new Uint8Array(new ArrayBuffer(DATA_WORDS * 4));
  readonly args: readonly number[] = [addressOf(this.#header), addressOf(this.#data)];

  /** @param kept numbers below 32, of what the thread has */
  constructor(kept: readonly Capability[]) {
    new DataView(this.#header.buffer).setUint32(0, VERSION, true);
    const bits = kept.reduce((sum, capability) => sum | 1 << capability, 0);
    const data = new DataView(this.#data.buffer);
    data.setUint32(0, bits, true);
    data.setUint32(4, bits, true);
  }
}

/** Those of `wanted` that this thread has. */
export function ownCapabilities(wanted: readonly Capability[]): Capability[] {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, VERSION, true);
  const data = new Uint8Array(DATA_WORDS * 4);
  const { capget } = SYSTEM_CALLS;
  checked(
    Number(libc().syscall(capget, addressOf(header), addressOf(data), 0, 0, 0, 0)),
    "capget",
  );
  const effective = new DataView(data.buffer).getUint32(0, true);
  return wanted.filter((capability) => (effective >>> capability & 1) === 1);
}
