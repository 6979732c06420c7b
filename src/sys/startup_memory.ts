/**
 * Giving back what only the start of the program needed, and what ended connections did.
 *
 * @module
 */
import { readTextIfAny } from "./files.ts";
import { libc } from "./libc.ts";
import { MADV_DONTNEED } from "./memory.ts";

/** Start of an entry of /proc/PID/smaps (proc(5)), for a private mapping of a file that is not written. */
const READ_ONLY_FILE = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ [1-9]\d* /;
/** Not a page of the mapping has been changed: all are still as they are in the file. */
const UNCHANGED = /^Anonymous:\s+0 kB$/m;

/**
 * Takes the pages of program files out of this process's memory. Half of what the start of the
 * runtime, or of another thread of it, touched is never needed again; the rest comes back from the
 * page cache as it is used.
 */
export function forgetStartupPages(): void {
  const entries = (readTextIfAny("/proc/self/smaps") ?? "").split(/^(?=[0-9a-f]+-)/m);
  for (const entry of entries) {
    const [, start, end] = READ_ONLY_FILE.exec(entry) ?? [];
    // A linker's relocations are changes, too: dropping such pages would undo them.
    if (start === undefined || end === undefined || !UNCHANGED.test(entry)) continue;
    const address = parseInt(start, 16);
    libc().madvise(address, parseInt(end, 16) - address, MADV_DONTNEED);
  }
}

// malloc.h of glibc
const M_MMAP_THRESHOLD = -3;
/** Smaller than the buffers of a connection. */
const OWN_MAPPING_BYTES = 1024 * 1024;

/**
 * Has large buffers always be mappings of their own, whose untouched pages cost nothing and which
 * vanish when they are freed. Left alone, malloc takes the first large one that is freed as a sign to
 * keep such memory, and hands it out again touched from end to end.
 */
export function keepBuffersApart(): void {
  libc().mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
}
