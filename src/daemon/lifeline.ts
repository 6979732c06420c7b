/**
 * What a daemon hears from the command that has started it.
 *
 * @module
 */
import type { Server } from "../serve/server.ts";
import { readText } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { forgetStartupPages } from "../sys/startup_memory.ts";
import { DaemonFd, GO } from "./job.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * A command that ends without having said "go" has failed to set up the device. Only after it, nobody
 * waits for what takes some milliseconds.
 */
export function watchLifeline(server: Server, surroundings: Surroundings): void {
  const { Lifeline } = DaemonFd;
  server.watch(Lifeline, () => {
    const word = readText(Lifeline);
    server.unwatch(Lifeline);
    libc().close(Lifeline);
    if (!word.startsWith(GO)) return server.finish();
    surroundings.showDevice(word.slice(GO.length));
    forgetStartupPages();
  });
}
