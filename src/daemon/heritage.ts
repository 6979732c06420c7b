/**
 * What a daemon leaves to the one that takes its place if it is killed. Its watcher keeps it, a shell that
 * knows nothing of it, as descriptors:
 *
 *     7         the state file, held locked, so that nobody takes the device for a dead daemon's meanwhile
 *     8         the manifest: sealed memory, which says what the others are, and what the daemon's job was
 *     10 ...    all others
 *
 * @module
 */
import { isSealed, sealedMemoryFile } from "../kernel/memory_file.ts";
import { type Fd, readText } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import type { Watcher } from "./charge.ts";
import type { HandedOver } from "./hand_over.ts";
import type { Job, Ready } from "./job.ts";
import {
  countsOf,
  type DescriptorCounts,
  type DescriptorLists,
  inOrder,
  takenApart,
} from "./job_descriptors.ts";

/** Descriptors of a watcher, and of what it starts. Those of two digits cannot be named in a shell. */
export const HeritageFd = { State: 7, Manifest: 8, First: 10 } as const;

const NAME = "tslosetup-heritage";
const SEEK_SET = 0;
/** Of what a manifest says: an upgrade of the program may read that of the one before. */
const VERSION = 2;

export interface Heritage {
  /** What the next daemon is to do. */
  readonly job: Job;
  /** What it needs for that, but for the nbd driver's control socket. */
  readonly descriptors: DescriptorLists;
  /** When daemons of this device were killed, of late, in milliseconds since the epoch. */
  readonly deaths: readonly number[];
}

/** A watcher's, of which it says which one that is. */
export interface Manifest extends Heritage, Watcher {}

interface Written extends Omit<Manifest, "descriptors"> {
  readonly version: number;
  readonly descriptors: DescriptorCounts;
}

/** The job of a daemon that takes the place of one that had `job` and was ready so. */
export function jobOfNext(
  { passphrase: _, ...job }: Job,
  { format, readOnly, sectorBytes }: Ready,
  { files }: Pick<HandedOver, "files">,
): Job {
  return { ...job, image: { ...job.image, format, readOnly }, sectorBytes, inherited: files };
}

/** A heritage as a watcher is given it: what becomes its descriptors from {@link HeritageFd.State} on. */
export function descriptorsLeft(
  { descriptors: { stateFile = [], ...lists } }: Heritage,
  { manifest, nothing }: { readonly manifest: number; readonly nothing: Fd },
): number[] {
  return [...stateFile, manifest, nothing.number, ...inOrder(lists)];
}

/**
 * What tells of them.
 *
 * @throws {SystemError} as memfd_create(2)
 */
export function makeManifest({ descriptors, ...manifest }: Manifest): Fd {
  const { stateFile: _, ...lists } = descriptors;
  const written: Written = { ...manifest, version: VERSION, descriptors: countsOf(lists) };
  return sealedMemoryFile(NAME, new TextEncoder().encode(JSON.stringify(written)));
}

/**
 * The heritage in this process's own descriptors, as a watcher has started it with.
 *
 * @throws {Error} if there is none: somebody else has started it, or another version of the program
 */
export function readHeritage(): Manifest {
  if (!isSealed(HeritageFd.Manifest)) throw new Error("there is nothing to be revived");
  libc().lseek(HeritageFd.Manifest, 0, SEEK_SET);
  const { version, descriptors, ...manifest } = JSON.parse(
    readText(HeritageFd.Manifest),
  ) as Written;
  if (version !== VERSION) throw new Error("the program is another one by now");
  const total = Object.values(descriptors).reduce((sum, count) => sum + count, 0);
  const fds = Array.from({ length: total }, (_, n) => HeritageFd.First + n);
  const lists = { ...takenApart(fds, descriptors), stateFile: [HeritageFd.State] };
  return { ...manifest, descriptors: lists };
}

/** Lets go of it in a process that has no use for it, so that nobody has the image open any more. */
export function forgoHeritage(): void {
  if (!isSealed(HeritageFd.Manifest)) return;
  const { stateFile: _, ...lists } = readHeritage().descriptors;
  for (const fd of inOrder(lists)) libc().close(fd);
}
