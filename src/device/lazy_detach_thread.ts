/**
 * Entry of the thread by which a daemon has its own device detached, as soon as nobody uses it.
 *
 * It opens the device that its process serves, and may have to wait for that. If the process is killed
 * meanwhile, the kernel fails what the thread waits for, but only once nobody holds what the device is
 * served through. So the thread has descriptors of its own, without those.
 *
 * @module
 */
import { askWatcherToLeave, type LazyDetachStart } from "../daemon/lazy_detach.ts";
import { OwnState } from "../daemon/own_state.ts";
import { checked } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";
import { Log } from "../sys/log.ts";
import { reasonOf } from "../sys/reason.ts";
import { letGo } from "./let_go.ts";
import { operationsOf } from "./transport_table.ts";

const CLONE_FILES = 0x400;

function detach({ isUnderWay, ...start }: LazyDetachStart): void {
  const { state, stateFd } = start;
  const own = new OwnState(stateFd);
  try {
    letGo(state, (changes) => own.change(changes), () => go(start));
  } catch (error) {
    new Log(state.image).error(`${state.device} cannot be detached: ${reasonOf(error)}`);
  } finally {
    Atomics.store(new Int32Array(isUnderWay), 0, 0);
  }
}

function go({ state, controlFd, served }: Omit<LazyDetachStart, "isUnderWay">): void {
  const { needsWatcherToGo, closeLast } = operationsOf(state);
  if (needsWatcherToGo(state) && controlFd !== undefined) askWatcherToLeave(controlFd);
  letGoOf(served);
  closeLast(state);
}

/** From here on, the thread has descriptors of its own. */
function letGoOf(fds: readonly number[]): void {
  checked(libc().unshare(CLONE_FILES), "unshare");
  for (const fd of fds) libc().close(fd);
}

interface ThreadScope {
  onmessage: (event: MessageEvent<LazyDetachStart>) => void;
  close(): void;
}
const scope = globalThis as unknown as ThreadScope;
scope.onmessage = (event) => {
  detach(event.data);
  scope.close();
};
