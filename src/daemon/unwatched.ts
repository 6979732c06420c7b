/**
 * Daemons whose watcher has gone: if they are killed as well, nobody is there who would tell.
 *
 * @module
 */
import type { Server } from "../serve/server.ts";
import { Log } from "../sys/log.ts";
import { DaemonFd, type Job } from "./job.ts";
import { attempt, type Means } from "./means.ts";

/** Has a daemon say so if its watcher ends before it. */
export function watchWatcher(
  server: Server,
  { imagePath, own }: Pick<Job, "imagePath"> & Pick<Means, "own">,
): void {
  const { Watch } = DaemonFd;
  server.watch(Watch, () => {
    server.unwatch(Watch);
    const consequence = "if this daemon is killed, no other one takes its place";
    new Log(imagePath).error(`the watcher of this daemon was killed: ${consequence}`);
    attempt({ imagePath }, () => own.change({ isUnwatched: true }));
  });
}
