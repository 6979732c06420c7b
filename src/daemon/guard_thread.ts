/**
 * Entry of the guard's thread, see guard.ts.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { POLLIN, PollSet } from "../sys/poll.ts";
import { SIGKILL } from "../sys/signals.ts";
import { removeSocket } from "../sys/sockets.ts";
import type { GuardStart } from "./guard.ts";
import { OwnState } from "./own_state.ts";
import { StateStore } from "./state.ts";

function guard(start: GuardStart): void {
  const { lifelineFd, overFd } = start;
  if (!isNeededUntil(lifelineFd, overFd)) return void libc().close(overFd);
  try {
    removeTraces(start);
  } finally {
    libc().kill(libc().getpid(), SIGKILL);
  }
}

/** Whether the lifeline ends first. */
function isNeededUntil(lifelineFd: number, overFd: number): boolean {
  const set = new PollSet();
  set.add(lifelineFd, POLLIN);
  const over = set.add(overFd, POLLIN);
  while (set.wait(-1) < 0);
  return set.events(over) === 0;
}

function removeTraces({ socket, stateDirectory, stateFd }: GuardStart): void {
  if (socket !== undefined) removeSocket(socket);
  new OwnState(stateFd).remove(new StateStore(stateDirectory));
}

interface ThreadScope {
  onmessage: (event: MessageEvent<GuardStart>) => void;
  close(): void;
}
const scope = globalThis as unknown as ThreadScope;
scope.onmessage = (event) => {
  guard(event.data);
  scope.close();
};
