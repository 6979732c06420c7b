/**
 * Having the threads of the runtime's own make a system call, for what the kernel keeps for each thread:
 * they were there before this program could do anything, and run nothing of it.
 *
 * A signal has a thread run its handler, whatever it is doing. The handler is some instructions that make
 * the calls and return; no function of the C library could be called there with arguments.
 *
 * @module
 */
import { listDirectory } from "./directories.ts";
import { ifPossible } from "./errno.ts";
import { readTextFile } from "./files.ts";
import { libc } from "./libc.ts";
import { machineCode } from "./machine_code.ts";
import { bytesAt } from "./memory.ts";
import { protectCode, reservePages } from "./pages.ts";
import { catchSignal, SIGUSR2 } from "./signals.ts";
import { SYSTEM_CALLS, type SystemCall } from "./system_calls.ts";

const TASKS = "/proc/self/task";
/** How long a thread may take: each has been idle for a while. */
const PATIENCE_MS = 1000;
/** The first pause, and the longest: most have done it at once. */
const PAUSE_US = { first: 50, longest: 500 } as const;

/**
 * Has all other threads make some calls.
 *
 * @param isDone whether a thread has made them, by its /proc/self/task/TID/status
 * @returns false if one of them has not within a second
 */
export function callInOtherThreads(
  calls: readonly SystemCall[],
  isDone: (status: string) => boolean,
): boolean {
  // A thread that was listed may just have started one that was not.
  let pauseUs: number = PAUSE_US.first;
  for (let cleanRounds = 0, waitedUs = 0; cleanRounds < 2;) {
    const undone = otherThreads(isDone);
    if (undone.length === 0) {
      cleanRounds++;
      continue;
    }
    if (waitedUs === 0) catchSignal(SIGUSR2, handlerFor(calls));
    if (waitedUs > PATIENCE_MS * 1000) return false;
    for (const thread of undone) signalThread(thread);
    libc().usleep(pauseUs);
    waitedUs += pauseUs;
    pauseUs = Math.min(pauseUs * 2, PAUSE_US.longest);
    cleanRounds = 0;
  }
  return true;
}

/** Threads of this process but this one that are not done. */
function otherThreads(isDone: (status: string) => boolean): number[] {
  const own = libc().getpid();
  return listDirectory(TASKS).map(Number).filter((thread) => {
    if (thread === own) return false;
    const status = ifPossible(() => readTextFile(`${TASKS}/${thread}/status`));
    return status !== undefined && !isDone(status);
  });
}

function signalThread(thread: number): void {
  libc().syscall(SYSTEM_CALLS.tgkill, libc().getpid(), thread, SIGUSR2, 0, 0, 0);
}

/** Address of a handler, which stays: who has made the calls may not have returned yet. */
function handlerFor(calls: readonly SystemCall[]): number {
  const code = machineCode(calls);
  const address = reservePages(code.length);
  bytesAt(address, code.length).set(code);
  protectCode(address, code.length);
  return address;
}
