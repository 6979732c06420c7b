/**
 * The daemon: one process for each attached image. It only serves: the command that has started it does
 * all that has to be configured.
 *
 * No thread that serves ever opens, syncs or configures the device: a process that waits for its own
 * device cannot even be killed. (lazy_detach_thread.ts, which has to, says how.)
 *
 * @module
 */
import { loadDecompressors } from "../codec/libraries.ts";
import { RAW } from "../image/formats.ts";
import { forgetKeys } from "../image/key_ring.ts";
import { isPassphraseMissing } from "../image/errors.ts";
import { widenForReplies } from "../nbd/nbd_channel.ts";
import { Server } from "../serve/server.ts";
import { startThread } from "../serve/start_thread.ts";
import { Fd, readBytes, writeText } from "../sys/files.ts";
import { receiveDescriptors } from "../sys/descriptor_passing.ts";
import { SystemError } from "../sys/errno.ts";
import { libc, openHotCalls } from "../sys/libc.ts";
import { reasonOf } from "../sys/reason.ts";
import { makeNoCoreDump } from "../sys/secret.ts";
import { SIGKILL } from "../sys/signals.ts";
import { openNull } from "../sys/spawn.ts";
import { keepBuffersApart } from "../sys/startup_memory.ts";
import { compressedContentHint } from "../disk/compressed_content.ts";
import { sectorBytesOf } from "../disk/sector_size.ts";
import { readyFor, type Sectored, tryToAnswer } from "./answer.ts";
import { NotedOrders } from "./control/noted_orders.ts";
import { DaemonFd, decodeJob, DONE, type Job } from "./job.ts";
import { handOver } from "./hand_over.ts";
import { type DescriptorLists, takenApart } from "./job_descriptors.ts";
import { keptChanges } from "./kept_changes.ts";
import { progressLine } from "./progress.ts";
import { Guard } from "./guard.ts";
import { Log } from "../sys/log.ts";
import { LazyDetach } from "./lazy_detach.ts";
import { watchLifeline } from "./lifeline.ts";
import { attempt, type Means } from "./means.ts";
import { type Opened, openJob } from "./opened.ts";
import { openAgain } from "./opened_again.ts";
import { takeCommands, watchSignals } from "./orders.ts";
import { OwnState } from "./own_state.ts";
import { disarm, disarmOtherThreads, neededCapabilities } from "./rights.ts";
import { stateDirectory } from "./state.ts";
import { watchWatcher } from "./unwatched.ts";
import { Surroundings } from "./surroundings.ts";

/**
 * Takes a job from standard input and serves it to its end.
 *
 * @param runtimeDirectory XDG_RUNTIME_DIR, where a user other than root keeps state
 * @returns the exit code: 0, or 1 if the image could not be served or data may have been lost
 * @throws {Error} if standard input has no job: somebody else has started this
 */
export function runDaemon(runtimeDirectory: string | undefined): number {
  openHotCalls();
  const received = receiveDescriptors(DaemonFd.Job);
  const job = decodeJob(readBytes(DaemonFd.Job, {}));
  const descriptors = takenApart(received, job.descriptors ?? {});
  const surroundings = new Surroundings(job, {
    root: descriptors.root?.[0],
    stateDirectory: stateDirectory(runtimeDirectory),
  });
  if (job.passphrase !== undefined || descriptors.keys?.length === 1) makeNoCoreDump();
  const isRevived = job.inherited !== undefined;
  const own = new OwnState(descriptors.stateFile?.[0]);
  const means: Means = { surroundings, own };
  surroundings.leave();
  const opened = tryToOpen(job, { ...means, descriptors });
  if (opened === undefined) {
    if (!isRevived) removeTraces(job, means);
    return 1;
  }
  if (opened.request.format !== RAW.name) loadDecompressors();
  const { served = [] } = descriptors;
  if (job.transport === "nbd") served.forEach(widenForReplies);
  const nothing = openNull();
  withdraw(job, surroundings);
  if (!tryToBringContent(opened, nothing)) {
    if (!isRevived) removeTraces(job, means);
    return 1;
  }
  // What the disk begins with may have to be decompressed.
  const sectorBytes = sectorBytesOf(opened.access, job.sectorBytes);
  const hint = isRevived ? undefined : compressedContentHint(opened.access);
  const server = createServer(job, { ...opened, sectorBytes }, served);
  const lazyDetach = new LazyDetach(served, { own, controlFd: descriptors.control?.[0] });
  let isRevivable = isRevived;
  watchLifeline(server, {
    surroundings,
    handOver: () => {
      isRevivable = true;
      attempt(job, () => handOver({ ...opened, served: handedOn(job, served) }));
    },
    begin: () => {
      if (isRevivable) watchWatcher(server, { imagePath: job.imagePath, own });
      if (isRevived) attempt(job, () => goOnLeaving(own, lazyDetach));
    },
    giveUp: isRevived ? dieInPlace : () => server.finish(),
  });
  const noted = NotedOrders.of(descriptors);
  for (const fd of descriptors.commands ?? []) takeCommands(new Fd(fd), server, { own, noted });
  watchSignals(server, job, { ...means, lazyDetach });
  if (tryToAnswer(readyFor(server, { ...opened, sectorBytes }, hint), nothing)) {
    keepBuffersApart();
    server.run();
  } else if (isRevived) {
    // Who has started it was killed: the device lives, and nothing of it is at its end.
    dieInPlace();
  }
  const code = conclude(job, { ...means, server });
  forgetKeys(opened.keys);
  return code;
}

/** From here on, it can do nothing but serve. Threads begin with the rights of who starts them. */
function withdraw(job: Job, surroundings: Surroundings): void {
  const needed = neededCapabilities(job);
  if (!disarmOtherThreads()) new Log(job.imagePath).error("a thread has kept its privileges");
  surroundings.withdraw();
  disarm(needed);
}

/** Over FUSE, a session is what it is; over nbd, the next daemon gets connections of its own. */
function handedOn({ transport }: Job, served: readonly number[]): readonly number[] {
  return transport === "nbd" ? [] : served;
}

/** Goes on with what a daemon that was killed was about to do. */
function goOnLeaving(own: OwnState, lazyDetach: LazyDetach): void {
  const state = own.read();
  if (state?.isLeaving === true) lazyDetach.start(state);
}

/** Leaves all as it is, as if it had never been: another one is to take its place. */
function dieInPlace(): void {
  libc().kill(libc().getpid(), SIGKILL);
}

/** Opens the image, or says why not. */
function tryToOpen(
  job: Job,
  { descriptors, ...means }: Means & { readonly descriptors: DescriptorLists },
): Opened | undefined {
  try {
    if (job.inherited !== undefined) {
      return openAgain(job, { descriptors, state: means.own.read() });
    }
    using _guard = job.passphrase === undefined ? undefined : new Guard(job, means);
    return openJob(job, keptChanges(descriptors));
  } catch (error) {
    const message = reasonOf(error);
    const needsPassphrase = isPassphraseMissing(error) && { needsPassphrase: true as const };
    tryToAnswer({ ok: false, message, ...needsPassphrase }, openNull());
    return undefined;
  }
}

/** What is decompressed as a whole comes from now on: what does that has no rights any more. */
function tryToBringContent({ access }: Opened, errors: Fd): boolean {
  try {
    access.beginArrival({
      fillInThread: (task) => startThread("serve/spool_worker").postMessage(task),
      progress: (part) => writeText(DaemonFd.Ready, progressLine(part)),
    });
    return true;
  } catch (error) {
    tryToAnswer({ ok: false, message: reasonOf(error) }, errors);
    return false;
  }
}

function createServer(job: Job, opened: Sectored, served: readonly number[]): Server {
  const server = new Server({
    access: opened.access,
    decoding: opened.decoding,
    image: opened.request,
    keys: opened.keys,
    imagePath: job.imagePath,
    log: new Log(job.imagePath),
    sectorBytes: opened.sectorBytes,
    ...(job.servedLayout === undefined ? {} : { servedLayout: job.servedLayout }),
    threads: job.threads,
    startAll: job.startAllThreads,
    cleanIntervalMs: job.cleanIntervalSeconds * 1000,
    writePolicy: job.writePolicy,
    maySpin: navigator.hardwareConcurrency > 1,
  });
  serve(server, job, served);
  return server;
}

function serve(server: Server, { transport, inherited }: Job, fds: readonly number[]): void {
  const isTakenOver = inherited !== undefined;
  switch (transport) {
    case "nbd":
      return fds.forEach((fd) => server.serveKernel(fd));
    case "fuse":
    case "view":
      return server.serveFuse(fds, { isTakenOver });
    case "socket":
      return fds.forEach((fd) => server.listen(new Fd(fd)));
  }
}

interface Serving extends Means {
  readonly server: Server;
}

/** Makes everything durable and removes what is left of the attach. */
function conclude(job: Job, { server, ...means }: Serving): number {
  const lost = !server.conclude();
  attempt(job, () => means.own.change({ outcome: lost ? "lost" : "saved" }));
  removeTraces(job, means);
  tryToSayDone();
  if (lost) new Log(job.imagePath).error("the last writes may not have reached the disk");
  return lost ? 1 : 0;
}

function removeTraces(job: Job, { surroundings, own }: Means): void {
  attempt(job, () => surroundings.removeSocket());
  attempt(job, () => surroundings.withStates((states) => own.remove(states)));
}

/** Tells the watcher, if there is one, that nothing is left for it to do. */
function tryToSayDone(): void {
  try {
    writeText(DaemonFd.Watch, DONE);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}
