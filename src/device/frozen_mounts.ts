/**
 * File systems that are frozen for a moment. A process of its own freezes them, and thaws them when it is
 * let go, or when this one has ended, in whatever way:
 *
 *     this process ── lifeline ──> freezer: freezes, waits for the end of the lifeline, thaws
 *                 <── outcomes ──
 *
 * If that one is killed instead, this one thaws them.
 *
 * @module
 */
import { FREEZER_ARGUMENT } from "../daemon/hidden_arguments.ts";
import { spawnSelf } from "../daemon/own_program.ts";
import { blockDeviceName } from "../kernel/block_devices.ts";
import { freeze, type FreezeOutcome, thaw } from "../kernel/freezing.ts";
import type { Mount } from "../kernel/proc_tables.ts";
import { mountsOver } from "../kernel/users.ts";
import { ifPossible } from "../sys/errno.ts";
import { type Fd, O_RDONLY, openFile, readText, readTextIfAny, writeText } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { reasonOf } from "../sys/reason.ts";
import { pipe } from "../sys/sockets.ts";
import { openNull, waitFor } from "../sys/spawn.ts";

/**
 * Descriptors of the freezer: after them, one for each file system. The runtime keeps copies of the first
 * three, so that these cannot be closed.
 */
const FreezerFd = { Lifeline: 3, Outcomes: 4, First: 5 } as const;

/** What the freezer says once it has frozen what it can, or failed. */
interface Frozen {
  readonly outcomes: readonly FreezeOutcome[];
  /** Why it has failed: nothing is frozen then. */
  readonly failure?: string;
}

export class FrozenMounts implements Disposable {
  /** Where a file system is mounted that cannot be frozen. */
  readonly unable: readonly string[];
  readonly #fds: readonly Fd[];
  readonly #lifeline: Fd;
  readonly #pid: number;

  private constructor(mounts: readonly OpenMount[]) {
    const [lifeline, ownEnd] = pipe();
    const [outcomes, freezerEnd] = pipe();
    using nothing = openNull();
    this.#fds = mounts.map(({ fd }) => fd);
    this.#lifeline = ownEnd;
    const standard = [nothing, nothing, nothing];
    const fds = [...standard, lifeline, freezerEnd, ...this.#fds].map(({ number }) => number);
    this.#pid = spawnSelf([FREEZER_ARGUMENT, `${mounts.length}`], fds);
    lifeline.close();
    freezerEnd.close();
    using _outcomes = outcomes;
    const { outcomes: found, failure } = frozenBy(readText(outcomes.number));
    this.unable = mounts.filter((_, n) => found[n] === "unable").map(({ mountPoint }) =>
      mountPoint
    );
    if (failure === undefined) return;
    this[Symbol.dispose]();
    throw new Error(`its file systems could not be frozen: ${failure}`);
  }

  /**
   * Freezes the file systems that are mounted here from the block devices with these paths, until it is
   * disposed of.
   *
   * @returns undefined if there are none
   * @throws {Error} if one cannot be frozen that could be: none is then
   */
  static on(paths: readonly string[]): FrozenMounts | undefined {
    const disks = paths.flatMap((path) => blockDeviceName(path) ?? []);
    const mounts = openEach(disks.flatMap(mountsOver));
    return mounts.length === 0 ? undefined : new FrozenMounts(mounts);
  }

  [Symbol.dispose](): void {
    this.#lifeline.close();
    if (waitFor(this.#pid) !== 0) { for (const fd of this.#fds) thaw(fd.number); }
    for (const fd of this.#fds) fd.close();
  }
}

function frozenBy(text: string): Frozen {
  if (text === "") return { outcomes: [], failure: "the process that does it has ended" };
  return JSON.parse(text);
}

interface OpenMount {
  readonly mountPoint: string;
  readonly fd: Fd;
}

/** Each file system that is written to once, by a mount point of it that nothing is mounted over. */
function openEach(mounts: readonly Mount[]): OpenMount[] {
  const open = new Map<string, OpenMount>();
  for (const { id, number, mountPoint, options } of mounts) {
    if (open.has(number) || options.includes("ro")) continue;
    const fd = ifPossible(() => openFile(mountPoint, O_RDONLY));
    if (fd === undefined) continue;
    if (mountOf(fd) === id) open.set(number, { mountPoint, fd });
    else fd.close();
  }
  return [...open.values()];
}

/** Which mount an open file is seen through. */
function mountOf({ number }: Fd): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(readTextIfAny(`/proc/self/fdinfo/${number}`) ?? "")?.[1];
}

/**
 * What the freezer does, with one descriptor for each of `count` file systems.
 *
 * @returns the exit code: 0 if nothing is left frozen
 */
export function holdFrozen(count: number): number {
  const outcomes: FreezeOutcome[] = [];
  const fds = Array.from({ length: count }, (_, n) => FreezerFd.First + n);
  try {
    for (const fd of fds) outcomes.push(freeze(fd, `/proc/self/fd/${fd}`));
    tell({ outcomes });
    // The end of who has asked for it is the end of this.
    readText(FreezerFd.Lifeline);
  } catch (error) {
    tell({ outcomes: [], failure: reasonOf(error) });
  } finally {
    for (const [n, outcome] of outcomes.entries()) if (outcome === "frozen") thaw(fds[n] ?? -1);
  }
  return 0;
}

/** Once; nobody may listen any more. */
function tell(frozen: Frozen): void {
  ifPossible(() => writeText(FreezerFd.Outcomes, JSON.stringify(frozen)));
  libc().close(FreezerFd.Outcomes);
}
