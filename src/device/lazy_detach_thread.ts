/**
 * Entry of the thread by which a daemon has its own device detached, as soon as nobody uses it.
 *
 * It opens the device that its process serves, and may have to wait for that. If the process is killed
 * meanwhile, the kernel fails what the thread waits for, but only once nobody holds what the device is
 * served through. So the thread has descriptors of its own, without those.
 *
 * @module
 */
import type { LazyDetachStart } from "../daemon/lazy_detach.ts";
import { OwnState } from "../daemon/own_state.ts";
import { checked, ifPossible } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";
import { Log } from "../sys/log.ts";
import { reasonOf } from "../sys/reason.ts";
import { operationsOf } from "./transport_table.ts";

const CLONE_FILES = 0x400;

function detach({ state, stateFd, served, isUnderWay }: LazyDetachStart): void {
  const own = new OwnState(stateFd);
  try {
    letGoOf(served);
    mark(own, true);
    operationsOf(state).detach(state);
  } catch (error) {
    mark(own, false);
    new Log(state.image).error(`${state.device} cannot be detached: ${reasonOf(error)}`);
  } finally {
    Atomics.store(new Int32Array(isUnderWay), 0, 0);
  }
}

/** Has listings say so. A full disk keeps no device from going. */
function mark(own: OwnState, isLeaving: boolean): void {
  ifPossible(() => own.change({ isLeaving }));
}

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
