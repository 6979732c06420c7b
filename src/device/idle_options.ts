/**
 * Options that say nothing about a device made in a certain way.
 *
 * @module
 */
import type { AttachCommand } from "./attach_command.ts";
import type { UsedTransport } from "./choose_transport.ts";

interface ServerOption {
  readonly name: string;
  readonly isGiven: (command: AttachCommand) => boolean;
  /** Which transports it says something about. */
  readonly mattersTo: (transport: UsedTransport) => boolean;
  readonly why: string;
}

const isServed = (transport: UsedTransport): boolean => transport !== "loop";
const NO_SERVER = "the loop driver itself reads the image";

const OPTIONS: readonly ServerOption[] = [
  {
    name: "-n",
    isGiven: ({ noHeadings }) => noHeadings,
    // of a RAW image, losetup says nothing
    mattersTo: (transport) => transport === "loop",
    why: "it is for listings; qemu-nbd's --nocache is --direct-io, for RAW images",
  },
  {
    name: "--kernel-decode",
    isGiven: ({ kernelDecode }) => kernelDecode,
    mattersTo: (transport) => transport === "view",
    why: "the device is no view",
  },
  {
    name: "--threads",
    isGiven: ({ threads }) => threads !== undefined,
    mattersTo: isServed,
    why: NO_SERVER,
  },
  {
    name: "--cache-size",
    isGiven: ({ cacheSizes }) => cacheSizes.metadataCacheBytes !== undefined,
    mattersTo: isServed,
    why: NO_SERVER,
  },
  {
    name: "--data-cache-size",
    isGiven: ({ cacheSizes }) => cacheSizes.dataCacheBytes !== undefined,
    mattersTo: isServed,
    why: NO_SERVER,
  },
  {
    name: "--cache-clean-interval",
    isGiven: ({ cleanIntervalSeconds }) => cleanIntervalSeconds !== undefined,
    mattersTo: isServed,
    why: NO_SERVER,
  },
  ...(["cache", "discard", "detectZeroes"] as const).map((policy) => ({
    name: policy === "detectZeroes" ? "--detect-zeroes" : `--${policy}`,
    isGiven: ({ writePolicy }: AttachCommand) => writePolicy[policy] !== undefined,
    mattersTo: isServed,
    why: NO_SERVER,
  })),
];

/** A line for each option that was given to no avail. */
export function idleOptions(command: AttachCommand, transport: UsedTransport): string[] {
  return OPTIONS
    .filter(({ isGiven, mattersTo }) => isGiven(command) && !mattersTo(transport))
    .map(({ name, why }) => `${name} has no effect: ${why}`);
}
