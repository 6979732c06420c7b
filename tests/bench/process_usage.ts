/**
 * What a server process has used so far, from /proc (proc(5)).
 *
 * @module
 */

/** CPU time and memory of a process with all its threads. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** USER_HZ, which is 100 on every architecture Linux has kept. */
const TICKS_PER_SECOND = 100;

/** utime and stime are fields 14 and 15; the first after the command's closing bracket is field 3. */
const FIRST_FIELD_AFTER_COMMAND = 3;
const UTIME = 14 - FIRST_FIELD_AFTER_COMMAND;
const STIME = 15 - FIRST_FIELD_AFTER_COMMAND;

/** CPU time, user and system, in a text of /proc/PID/stat. The command may contain anything. */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 1).trim().split(/\s+/);
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

/** Resident memory in a text of /proc/PID/status. */
export function residentBytesIn(status: string): number {
  const kibibytes = /^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1];
  return Number(kibibytes ?? NaN) * 1024;
}

/** What process `pid` has used until now; `NaN` without one. */
export function usageOf(pid: number | undefined): Usage {
  if (pid === undefined) return { cpuSeconds: NaN, residentBytes: NaN };
  return {
    cpuSeconds: cpuSecondsIn(Deno.readTextFileSync(`/proc/${pid}/stat`)),
    residentBytes: residentBytesIn(Deno.readTextFileSync(`/proc/${pid}/status`)),
  };
}
