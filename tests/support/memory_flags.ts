/**
 * What the kernel says of the memory of a process (proc(5), VmFlags of /proc/PID/smaps).
 *
 * @module
 */

/** A mapping of a process. */
export interface MappedMemory {
  readonly start: number;
  readonly end: number;
  /** Two letters each, as `lo` for what is locked in memory, and `dd` for what is in no core dump. */
  readonly flags: readonly string[];
}

/** All mappings of a process. */
export function mappedMemory(pid: number): MappedMemory[] {
  const entries = Deno.readTextFileSync(`/proc/${pid}/smaps`).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return entries.flatMap((entry) => {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(entry) ?? [];
    const flags = /^VmFlags: (.*?) *$/m.exec(entry)?.[1]?.split(" ") ?? [];
    if (start === undefined || end === undefined) return [];
    return [{ start: parseInt(start, 16), end: parseInt(end, 16), flags }];
  });
}

/** Flags of the memory at an address; none where there is no memory. */
export function flagsOfMemory(pid: number, address: number): readonly string[] {
  const found = mappedMemory(pid).find(({ start, end }) => start <= address && address < end);
  return found?.flags ?? [];
}
