/**
 * Whether the kernel listens on every connection of an nbd device.
 *
 * The driver (drivers/block/nbd.c) has a work item for each connection, which receives its replies as
 * long as the connection lives. Where the kernel takes longer than a hundredth of a second to make the
 * threads for them, as on a busy machine, the work queue's rescuer thread takes all items that wait, and
 * does one after the other (rescuer_thread(), kernel/workqueue.c): it never gets to the second one. Every
 * request sent on that connection then hangs for good, in readers that nothing can kill. Met with Linux
 * 6.1 in 4 of 15 starts of an emulated machine. One connection cannot be hit. Newer rescuers take one
 * item and leave the others to threads that come later (assign_rescuer_work(), seen in 6.12.113 and
 * 7.2): there all connections are listened on, if only after a while.
 *
 * What a kernel thread works on stands in its name: `kworker/u5:1+nbd0-recv`, or `nbd0-recv+nbd0-recv`
 * for the rescuer (wq_worker_comm(), since Linux 4.18).
 *
 * @module
 */
import { unsortedDirectory } from "../sys/directories.ts";
import { readAttributeIfAny } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { trace } from "../sys/trace.ts";

/** The parent of all kernel threads. */
const KTHREADD = "/proc/2";

/** Where all listen, it takes them a few milliseconds to begin with it. */
const LISTEN_MS = 1000;
/** How long to wait for what cannot be seen. */
const UNSEEN_MS = 100;

/** Whether kernel threads can be seen from here: not in a PID namespace, nor with hidepid. */
export function areReceiversVisible(): boolean {
  return readAttributeIfAny(`${KTHREADD}/comm`) === "kthreadd";
}

/** How many of `names`, those of all processes (comm in proc(5)), receive replies for a device. */
export function countReceivers(names: readonly string[], index: number): number {
  // Linux up to 5.13 has a k before it.
  const work = new RegExp(`\\+k?nbd${index}-recv$`);
  return names.filter((name) => work.test(name)).length;
}

/**
 * Waits until the kernel listens on all connections of a device that was just connected.
 *
 * @param connections how many it has
 * @returns false if it has not begun to within a second; older kernels never will then
 */
export function waitForReceivers(index: number, connections: number): boolean {
  const deadline = performance.now() + LISTEN_MS;
  for (let pauseUs = 500;; pauseUs = Math.min(pauseUs * 2, 50_000)) {
    const count = countReceivers(processNames(), index);
    trace("kernel", () => `nbd${index} listens on ${count} of ${connections} connections`);
    if (count >= connections) return true;
    if (performance.now() > deadline) return false;
    libc().usleep(pauseUs);
  }
}

/**
 * Waits until the kernel listens on no connection of a device any more: it knows that they are dead, as soon as
 * their other ends are closed. Where its threads cannot be seen, for as long as that takes on a busy machine.
 */
export function waitUntilUnheard(index: number): void {
  const deadline = performance.now() + (areReceiversVisible() ? LISTEN_MS : UNSEEN_MS);
  const isOver = (): boolean =>
    areReceiversVisible() && countReceivers(processNames(), index) === 0;
  while (!isOver() && performance.now() < deadline) libc().usleep(1000);
}

function processNames(): string[] {
  return unsortedDirectory("/proc")
    .filter((name) => /^\d/.test(name))
    .map((pid) => readAttributeIfAny(`/proc/${pid}/comm`) ?? "");
}
