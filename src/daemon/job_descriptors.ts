/**
 * The descriptors that come with a job: which they are is told by their order, and by the job, which says
 * how many there are of each kind.
 *
 * @module
 */

/** The kinds, in the order in which they come. */
const KINDS = [
  /** What is to be served: the sockets of an nbd device, /dev/fuse, or a listening socket. */
  "served",
  /** The daemon's state file, which it holds. */
  "stateFile",
  /** The nbd driver's control socket. */
  "control",
  /** A listening socket on which the daemon takes commands. */
  "commands",
  /** The root folder that the daemon shall live in. */
  "root",
  /** What {@link makeKeptMemory} has made. */
  "kept",
  /** The keys of the image's disks, of an attach that goes on. */
  "keys",
  /** The image's files, open and locked, of an attach that goes on. */
  "files",
  /** Those of them that are written to, opened once more: {@link openWitness}. */
  "witnesses",
] as const;

type Kind = (typeof KINDS)[number];

/** How many there are of each kind. */
export type DescriptorCounts = Readonly<Partial<Record<Kind, number>>>;

/** Descriptors by their kinds. */
export type DescriptorLists = Readonly<Partial<Record<Kind, readonly number[]>>>;

/** All of them, in their order. */
export function inOrder(lists: DescriptorLists): number[] {
  return KINDS.flatMap((kind) => lists[kind] ?? []);
}

export function countsOf(lists: DescriptorLists): DescriptorCounts {
  return Object.fromEntries(KINDS.map((kind) => [kind, lists[kind]?.length ?? 0]));
}

/** What {@link inOrder} has put together. */
export function takenApart(fds: readonly number[], counts: DescriptorCounts): DescriptorLists {
  let at = 0;
  const lists = KINDS.map((kind) => {
    const count = counts[kind] ?? 0;
    return [kind, fds.slice(at, at += count)] as const;
  });
  return Object.fromEntries(lists);
}
