/**
 * What is asked for when a device is to be set up, whatever words asked for it.
 *
 * @module
 */
import type { CacheSizes } from "../image/cache_sizes.ts";
import type { WantedSectors } from "../disk/sector_size.ts";
import type { WritePolicy } from "../loop/write_policy.ts";
import type { Transport } from "./transports.ts";

/** What is to be written to instead of the image. */
export type WantedOverlay =
  | {
    readonly kept: "in a file" | "in memory";
    /** What it may take, if that was given. */
    readonly limitBytes: number | undefined;
  }
  /** It stays, in the file at `path`, as given. */
  | { readonly kept: "for later"; readonly path: string };

export interface AttachCommand {
  readonly kind: "attach";
  readonly file: string;
  /** As given, so not yet a path if it has no slash. Undefined if one is found, or none is made. */
  readonly device: string | undefined;
  /** Whether to take any free device. */
  readonly find: boolean;
  /** Whether to print the device's name, or the socket's URI. */
  readonly show: boolean;
  readonly readOnly: boolean;
  /** Whether `-n` was given, which says nothing here, but something in qemu-nbd. */
  readonly noHeadings: boolean;
  readonly partScan: boolean;
  /** Where the device begins in the virtual disk. */
  readonly offsetBytes: number;
  /** 0 is no limit. */
  readonly sizeLimitBytes: number;
  /** Whatever was given, for what is possible depends on the transport; undefined is the default. */
  readonly sectorBytes: WantedSectors | undefined;
  /** Whether a loop device is to go around the page cache of its file. */
  readonly directIo: "on" | "off" | undefined;
  /** What the kernel shall keep as the device's name for its file; undefined is the file's path. */
  readonly loopReference: string | undefined;
  /** Whether to take a device of the same part of the image that is there, and to refuse overlaps. */
  readonly noOverlap: boolean;
  /** A device of the image that does not count there, for it goes at once and nothing is written by it. */
  readonly passedOver: string | undefined;
  /** Canonical name, or `auto`; undefined is RAW, by default. */
  readonly format: string | undefined;
  /** Format of backing files that have none recorded: canonical name, or `auto`. */
  readonly backingFormat: string | undefined;
  /** Identifier or name of the internal snapshot to show. */
  readonly snapshot: string | undefined;
  /** What writes go to, if not to the image. */
  readonly overlay: WantedOverlay | undefined;
  /** Whether to attach even an image that is marked as corrupt. */
  readonly force: boolean;
  /** Sizes of the caches, as far as they were given. */
  readonly cacheSizes: Partial<CacheSizes>;
  /** Seconds without traffic after which they are emptied, if given; 0 for never. */
  readonly cleanIntervalSeconds: number | undefined;
  /** What is wanted of writes, as far as it was given. */
  readonly writePolicy: Partial<WritePolicy>;
  /** Whether to leave backing files alone. */
  readonly noBacking: boolean;
  /** Files and folders that the image may name, as given. */
  readonly allowBacking: readonly string[];
  /** The images below that are known by their identity, as given, from the first one down. */
  readonly parents: readonly string[];
  /** File with the passphrase of an encrypted image; `-` is standard input. */
  readonly keyFile: string | undefined;
  /** Whether another daemon is to take the place of one that is killed. */
  readonly revive: boolean;
  /** Whether to say which transport was taken, and why. */
  readonly verbose: boolean;
  /** How many threads are to serve; undefined leaves it to the load. */
  readonly threads: number | undefined;
  /** `socket` exactly if there is a {@link socketPath}. */
  readonly transport: Transport;
  /** Whether the kernel is to decompress, where it is a view. */
  readonly kernelDecode: boolean;
  readonly socketPath: string | undefined;
  /** Whether to stay until the device has gone. */
  readonly foreground: boolean;
  /** Name of the line in a table that asks for it. */
  readonly tabName: string | undefined;
  /** Where to leave the process id of who stays. */
  readonly pidFile: string | undefined;
}

/** Whether something was asked for that only a server of ours has. */
export function wantsServer(
  { readOnly, keyFile, threads, cacheSizes, cleanIntervalSeconds }: AttachCommand,
): boolean {
  return !readOnly || keyFile !== undefined || threads !== undefined ||
    cleanIntervalSeconds !== undefined || Object.keys(cacheSizes).length > 0;
}

/** Whether writes are to be made in a way that only a server of ours has. */
export function wantsWritePolicy({ readOnly, writePolicy }: AttachCommand): boolean {
  return !readOnly && Object.keys(writePolicy).length > 0;
}
