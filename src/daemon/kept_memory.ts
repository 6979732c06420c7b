/**
 * Memory that outlives the daemon: a file without a name, which the daemon maps and its watcher holds. A
 * daemon that takes the place of one that was killed finds in it what that one has left, to the byte: all
 * that was stored by an instruction that has run.
 *
 *     offset
 *     0          counters   64 bytes
 *     64         orders     the rest of a page
 *     4096       journal    8 MiB
 *
 * All is zero at first, and takes up memory only once it is touched.
 *
 * @module
 */
import { emptyMemoryFile } from "../kernel/memory_file.ts";
import type { Fd } from "../sys/files.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ifPossible } from "../sys/errno.ts";
import { mapShared } from "../sys/pages.ts";

/** Shows in /proc/PID/fd. */
const NAME = "tslosetup-kept";

interface Section {
  readonly offset: number;
  readonly lengthBytes: number;
}

const PAGE_BYTES = 4096;
const COUNTERS_BYTES = 64;
const ORDERS_BYTES = PAGE_BYTES - COUNTERS_BYTES;
const JOURNAL_BYTES = 8 * 1024 * 1024;

/** What is where. Both daemons are the same program, or one and its upgrade: sections stay where they are. */
export const KEPT_SECTIONS = {
  /** Numbers that are counted on from daemon to daemon. */
  counters: { offset: 0, lengthBytes: COUNTERS_BYTES },
  /** What a daemon was told to do, and has not answered. */
  orders: { offset: COUNTERS_BYTES, lengthBytes: ORDERS_BYTES },
  /** Changes of an image that are acknowledged, but not in the image yet. */
  journal: { offset: PAGE_BYTES, lengthBytes: JOURNAL_BYTES },
} as const satisfies Readonly<Record<string, Section>>;

/** All sections end here; the file may go on. */
export const KEPT_BYTES: number = PAGE_BYTES + JOURNAL_BYTES;

/**
 * Makes it, for a daemon to be started with. Undefined where the system has none, or a sandbox refuses it:
 * then nobody takes the place of that daemon.
 */
export function makeKeptMemory(): Fd | undefined {
  return ifPossible(() => emptyMemoryFile(NAME, KEPT_BYTES));
}

/** It, as a daemon has it: mapped as long as the process lives. */
export class KeptMemory {
  readonly #address: number;

  /**
   * @param fd of what {@link makeKeptMemory} has made; stays the caller's
   * @throws {SystemError} as mmap(2)
   */
  constructor(fd: number) {
    this.#address = mapShared(fd, KEPT_BYTES);
  }

  section(name: keyof typeof KEPT_SECTIONS): IoBuffer {
    const { offset, lengthBytes } = KEPT_SECTIONS[name];
    return IoBuffer.over(this.#address + offset, lengthBytes);
  }
}
