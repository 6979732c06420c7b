/**
 * What a daemon that serves gives up. It feeds what others have written to libraries that decompress, so
 * that it may be taken over by an image; what it does not need then, nobody gets.
 *
 * The kernel keeps capabilities, and whether there are new privileges to be had, for each thread. What has
 * taken over one thread can write to the memory of all, so that all of them have to give up. Those of the
 * runtime are made to; those that start later begin as the one that starts them. All that takes rights is
 * done by other processes: commands, and the watcher of an nbd device.
 *
 * @module
 */
import { Capability, KeepCapabilities, ownCapabilities } from "../sys/capabilities.ts";
import { ifPossible } from "../sys/errno.ts";
import { fileStatusIfAny, readTextIfAny } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { callInOtherThreads } from "../sys/other_threads.ts";
import { folderOf } from "../sys/paths.ts";
import { installFilter, seccompFilter } from "../sys/seccomp.ts";
import { SYSTEM_CALLS, type SystemCall } from "../sys/system_calls.ts";
import { SEND_BUFFER_BYTES } from "../nbd/nbd_channel.ts";
import type { Job } from "./job.ts";
import { refusedCalls } from "./refused_calls.ts";

const PR_SET_NO_NEW_PRIVS = 38;

const NO_NEW_PRIVILEGES: SystemCall = {
  number: SYSTEM_CALLS.prctl,
  args: [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
};

/** Of a thread that has nothing left (proc(5)). Of old kernels, the last line is missing. */
const HAS_CAPABILITIES = /^Cap(Inh|Prm|Eff|Amb):\t0*[1-9a-f]/m;
const MAY_GAIN = /^NoNewPrivs:\t0/m;

/**
 * Has the runtime's threads give up everything: they need nothing. This takes /proc.
 *
 * @returns false if one of them has not
 */
export function disarmOtherThreads(): boolean {
  const none = new KeepCapabilities([]);
  const hasNone = (status: string): boolean =>
    !HAS_CAPABILITIES.test(status) && !MAY_GAIN.test(status);
  return ifPossible(() => callInOtherThreads([NO_NEW_PRIVILEGES, none], hasNone)) === true;
}

/** Has this thread, and all that it will start, give up all but what the job cannot be done without. */
export function disarm(kept: readonly Capability[]): void {
  for (const call of [NO_NEW_PRIVILEGES, new KeepCapabilities(kept)]) make(call);
  installFilter(seccompFilter(refusedCalls(libc().getpid())));
}

function make({ number, args }: SystemCall): void {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
  libc().syscall(number, a, b, c, d, e, 0);
}

/** What a job cannot be done without, as far as this thread has it. To be asked before anything is given up. */
export function neededCapabilities({ socket }: Pick<Job, "socket">): readonly Capability[] {
  const wanted: Capability[] = [];
  // Run from sources, the modules of later threads are files, which may be a user's.
  if (!Deno.build.standalone) wanted.push(Capability.DacReadSearch);
  if (socket !== undefined && !isOwnFolder(folderOf(socket.path))) {
    wanted.push(Capability.DacOverride);
  }
  if (socket !== undefined && isSendBufferLimited()) wanted.push(Capability.NetAdmin);
  return ownCapabilities(wanted);
}

/** Whether a file of this user's there can be removed by virtue of the modes alone. */
function isOwnFolder(path: string): boolean {
  const status = ifPossible(() => fileStatusIfAny(path));
  if (status === undefined) return false;
  const { uid, mode } = status;
  const bits = uid === libc().geteuid() ? 0o300 : 0o003;
  return (mode & bits) === bits;
}

/** Whether replies to clients that come later would wait for room where they need not. */
function isSendBufferLimited(): boolean {
  const limit = Number(readTextIfAny("/proc/sys/net/core/wmem_max") ?? 0);
  return limit < SEND_BUFFER_BYTES;
}
