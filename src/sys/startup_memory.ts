/**
 * Giving memory back that only the start of the program, or work that has ended, had needed.
 *
 * @module
 */
import { libc } from "./libc.ts";
import { MADV_DONTNEED } from "./memory.ts";
import { programPath, readOfSelf } from "./own_root.ts";

/** Start of an entry of /proc/PID/smaps (proc(5)): range, access, offset, device, inode, file. */
const MAPPED_FILE = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ [1-9]\d* +(.*)$/m;
/** Not a page of the mapping has been changed: all are still as they are in the file. */
const UNCHANGED = /^Anonymous:\s+0 kB$/m;

/**
 * Takes the pages of the program's constants and code out of this process's memory. Half of what the
 * start of the runtime, or of another thread of it, touched is never needed again; the rest comes
 * back from the page cache as it is used.
 *
 * Only what was mapped when the program was started: other threads may load libraries meanwhile, and
 * what is no more than a mapping of their file in one moment has their relocations in the next.
 */
export function forgetStartupPages(): void {
  const program = programPath();
  const entries = (readOfSelf("smaps") ?? "").split(/^(?=[0-9a-f]+-)/m);
  for (const entry of entries) {
    const [, start, end, access = "", path] = MAPPED_FILE.exec(entry) ?? [];
    if (start === undefined || end === undefined || path !== program) continue;
    const address = parseInt(start, 16);
    const mayForget = !access.includes("w") && UNCHANGED.test(entry);
    if (mayForget) libc().madvise(address, parseInt(end, 16) - address, MADV_DONTNEED);
    // What follows the code has relocations: dropping those pages would undo them.
    if (access.includes("x")) return;
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

/**
 * Gives pages back that malloc keeps of what has been freed, whichever thread that was: most have been
 * those of the runtime's compilers.
 */
export function forgetFreedMemory(): void {
  libc().malloc_trim(0);
}
