/**
 * Who is in charge of reviving a daemon. There may be several watchers for a moment: one whose daemon was
 * killed, and the one that was just started beside the next daemon. Each has a number of its own, and only
 * the one whose number is in the kept memory acts. That changes hands by one store:
 *
 *     watcher 1   its daemon is killed ── starts daemon 2 ── starts watcher 2 ── hands over ── ends
 *     watcher 2                                              │ (killed already? waits) │ in charge
 *
 * Killed before it has handed over, watcher 1's helper is started again by watcher 1; after it, watcher 2
 * sees to the daemon.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import type { IoBuffer } from "../sys/memory.ts";
import { SIGKILL } from "../sys/signals.ts";
import { daemonWords } from "./daemon_words.ts";
import type { DescriptorLists } from "./job_descriptors.ts";
import { KeptMemory } from "./kept_memory.ts";
import { hasGone, idHere, type ProcessIdentity, waitUntil, waitUntilGone } from "./processes.ts";

/** Where what lies in the kept memory's counters, in bytes. */
const AT = { token: 0, attempt: 4, attemptStart: 8 } as const;

/** So long a watcher waits for what is handed over next, even if it cannot see by whom. */
const CHANGE_MS = 500;
/** How long the system may take to end a process, which may wait for a disk that does not answer. */
const END_MS = 10 * 60_000;

/** A watcher, as others know it. */
export interface Watcher {
  readonly token: number;
  /** Who has started it, and is to put it in charge. */
  readonly giver: ProcessIdentity;
}

export class Charge {
  readonly #counters: IoBuffer;

  constructor(memory: KeptMemory) {
    this.#counters = memory.section("counters");
  }

  /** That over a device, which has kept memory among its descriptors. */
  static over({ kept: [fd = -1] = [] }: DescriptorLists): Charge {
    return new Charge(new KeptMemory(fd));
  }

  /** A number that no watcher has yet, most probably. */
  static newToken(): number {
    const [token = 0] = crypto.getRandomValues(new Uint32Array(1));
    return token;
  }

  /** Puts the watcher with that number in charge. */
  give(token: number): void {
    this.#counters.view.setUint32(AT.token, token, true);
  }

  /** Whether a watcher is in charge, or is once who has started it goes on. */
  isOf({ token, giver }: Watcher): boolean {
    const isGiven = (): boolean => this.#counters.view.getUint32(AT.token, true) === token;
    if (waitUntil(isGiven, CHANGE_MS)) return true;
    waitUntil(() => isGiven() || hasGone(giver), Infinity);
    return isGiven();
  }

  /** Says which daemon is being started: it is nobody's if its starter is killed. */
  noteAttempt({ pid, startTime }: ProcessIdentity): void {
    const { view } = this.#counters;
    view.setUint32(AT.attempt, pid, true);
    view.setFloat64(AT.attemptStart, startTime, true);
  }

  /**
   * Ends the daemon that was being started, if there is one. Daemons can write to this memory, too: what
   * is no daemon is left alone, whatever stands there.
   *
   * @throws {Error} if it does not end: what it still writes would come after what another one has written
   */
  endAttempt(): void {
    const { view } = this.#counters;
    const pid = view.getUint32(AT.attempt, true);
    const attempt = { pid, startTime: view.getFloat64(AT.attemptStart, true) };
    const idThere = pid === 0 ? undefined : idHere(attempt);
    if (idThere === undefined || daemonWords(idThere) === undefined) return;
    libc().kill(pid, SIGKILL);
    if (!waitUntilGone(attempt, END_MS)) throw new Error(`process ${pid} does not end`);
  }
}
