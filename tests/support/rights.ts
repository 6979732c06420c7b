/**
 * What the kernel says of the rights of a process (proc(5), /proc/PID/task/TID/status).
 *
 * @module
 */
import { isCompiled } from "./program.ts";

/** What a thread may do. */
export interface Rights {
  /** A bit for each capability that it has, or could take. */
  readonly capabilities: bigint;
  /** Whether there are privileges to be had by running other programs. */
  readonly mayGain: boolean;
  /** Whether some system calls are refused. */
  readonly isFiltered: boolean;
}

const DAC_READ_SEARCH = 1n << 2n;
const NET_ADMIN = 1n << 12n;
const SEND_BUFFER_BYTES = 1024 * 1024;

/** Of a thread that can do no harm. */
export const NONE: Rights = { capabilities: 0n, mayGain: false, isFiltered: true };

/** The rights of each thread, those of the main one first, but for the capabilities `kept`. */
export function rightsOf(pid: number, kept = 0n): Rights[] {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => Number(name));
  return threads.sort((a, b) => a - b).map((thread) => {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/status`);
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(\\w+)$`, "m").exec(status)?.[1] ?? "";
    const sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => BigInt(`0x${field(name)}`));
    return {
      capabilities: sets.reduce((all, set) => all | set) & ~kept,
      mayGain: field("NoNewPrivs") === "0",
      isFiltered: field("Seccomp") === "2",
    };
  });
}

/** What this process could pass on. */
function ownCapabilities(): bigint {
  const status = Deno.readTextFileSync("/proc/self/status");
  return BigInt(`0x${/^CapEff:\s+(\w+)$/m.exec(status)?.[1] ?? ""}`);
}

/** Whether this process has a capability, by its number. */
function hasCapability(number: number): boolean {
  return (ownCapabilities() >> BigInt(number) & 1n) === 1n;
}

/** What a daemon may keep: nothing, but for what README says. */
export function keptCapabilities({ isSocket }: { readonly isSocket: boolean }): bigint {
  const limit = Number(Deno.readTextFileSync("/proc/sys/net/core/wmem_max"));
  return (isCompiled ? 0n : DAC_READ_SEARCH) |
    (isSocket && limit < SEND_BUFFER_BYTES ? NET_ADMIN : 0n);
}

const CAP_SYS_RESOURCE = 24;

/**
 * What an attach says of a device for writing that a daemon serves, where nothing keeps that from waiting
 * for itself: on machines, containers mostly, whose superuser may not all.
 */
export function memoryWarning(image: string): string {
  return hasCapability(CAP_SYS_RESOURCE) ? "" : `${memoryWarningOf(image)}\n`;
}

/** The line itself. */
export function memoryWarningOf(image: string): string {
  const what = "without CAP_SYS_RESOURCE, the device may hang for good when memory is short";
  const remedy = "docker run --cap-add SYS_RESOURCE gives that to a container";
  return `tslosetup: ${image}: warning: ${what}; ${remedy}`;
}
