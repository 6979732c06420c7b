/**
 * What a daemon hears from the command that has started it.
 *
 * @module
 */
import type { Server } from "../serve/server.ts";
import { readSome } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { forgetStartupPages } from "../sys/startup_memory.ts";
import { DaemonFd, GO, HAND_OVER } from "./job.ts";
import type { Surroundings } from "./surroundings.ts";

/** What happens when something is heard. */
export interface Hearer {
  readonly surroundings: Surroundings;
  /** Another daemon may have to take this one's place. */
  readonly handOver: () => void;
  /** The device is set up. */
  readonly begin: () => void;
  /** It will not be: the command has failed, or was killed. */
  readonly giveUp: () => void;
}

/**
 * A command that ends without having said "go" has failed to set up the device. Only after it, nobody
 * waits for what takes some milliseconds.
 */
export function watchLifeline(server: Server, hearer: Hearer): void {
  const { Lifeline } = DaemonFd;
  server.watch(Lifeline, () => {
    const words = readSome(Lifeline);
    if (words === HAND_OVER) return hearer.handOver();
    server.unwatch(Lifeline);
    libc().close(Lifeline);
    if (!words.startsWith(GO)) return hearer.giveUp();
    hearer.surroundings.showDevice(words.slice(GO.length));
    forgetStartupPages();
    hearer.begin();
  });
}
