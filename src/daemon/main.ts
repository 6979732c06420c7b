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
import { Fd, readBytes, readText, writeText } from "../sys/files.ts";
import { receiveDescriptors } from "../sys/descriptor_passing.ts";
import { SystemError } from "../sys/errno.ts";
import { libc, openHotCalls } from "../sys/libc.ts";
import { reasonOf } from "../sys/reason.ts";
import { makeNoCoreDump } from "../sys/secret.ts";
import { daemonSignals, SIGHUP, SIGINT, SignalReader, SIGTERM } from "../sys/signals.ts";
import { openNull } from "../sys/spawn.ts";
import { forgetStartupPages, keepBuffersApart } from "../sys/startup_memory.ts";
import { compressedContentHint } from "../disk/compressed_content.ts";
import { sectorBytesOf } from "../disk/sector_size.ts";
import { wantedBytes } from "../disk/new_size.ts";
import { ControlServer } from "./control/control_server.ts";
import { type Answer, DaemonFd, decodeJob, DONE, GO, type Job } from "./job.ts";
import { progressLine } from "./progress.ts";
import { Guard } from "./guard.ts";
import { Log } from "../sys/log.ts";
import { LazyDetach } from "./lazy_detach.ts";
import { type Opened, openJob } from "./opened.ts";
import { OwnState } from "./own_state.ts";
import { disarm, disarmOtherThreads, neededCapabilities } from "./rights.ts";
import { stateDirectory } from "./state.ts";
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
  const descriptors = receiveDescriptors(DaemonFd.Job);
  const job = decodeJob(readBytes(DaemonFd.Job, {}));
  const surroundings = new Surroundings(job, descriptors, stateDirectory(runtimeDirectory));
  if (job.passphrase !== undefined) makeNoCoreDump();
  const commands = job.takesCommands ? descriptors.pop() : undefined;
  const own = new OwnState(descriptors[job.sockets]);
  const means: Means = { surroundings, own };
  surroundings.leave();
  const opened = tryToOpen(job, means);
  if (opened === undefined) {
    removeTraces(job, means);
    return 1;
  }
  if (opened.request.format !== RAW.name) loadDecompressors();
  const served = descriptors.slice(0, job.sockets);
  if (job.transport === "nbd") served.forEach(widenForReplies);
  const nothing = openNull();
  withdraw(job, surroundings);
  if (!tryToBringContent(opened, nothing)) {
    removeTraces(job, means);
    return 1;
  }
  // What the disk begins with may have to be decompressed.
  const sectorBytes = sectorBytesOf(opened.access, job.sectorBytes);
  const hint = compressedContentHint(opened.access);
  const server = createServer(job, { ...opened, sectorBytes }, served);
  watchLifeline(server, surroundings);
  if (commands !== undefined) takeCommands(new Fd(commands), server, own);
  const controlFd = descriptors[job.sockets + 1];
  watchSignals(server, job, { ...means, lazyDetach: new LazyDetach(served, { own, controlFd }) });
  if (tryToAnswer(readyFor(server, { ...opened, sectorBytes }, hint), nothing)) {
    keepBuffersApart();
    server.run();
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

/** An open image, and the sectors of its device. */
interface Sectored extends Opened {
  readonly sectorBytes: number;
}

function readyFor(server: Server, opened: Sectored, hint: string | undefined): Answer {
  const { access, request, sectorBytes } = opened;
  const warnings = hint === undefined ? opened.warnings : [...opened.warnings, hint];
  const { sizeBytes, flags } = server.description;
  const { readOnly, format } = request;
  const connections = server.usefulConnections;
  const files = access.files.map(({ identity }) => identity);
  return {
    ok: true,
    format,
    sizeBytes,
    readOnly,
    sectorBytes,
    flags,
    connections,
    warnings,
    files,
  };
}

/** Opens the image, or says why not. */
function tryToOpen(job: Job, means: Means): Opened | undefined {
  try {
    using _guard = job.passphrase === undefined ? undefined : new Guard(job, means);
    return openJob(job);
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
  serve(server, job.transport, served);
  return server;
}

function serve(server: Server, transport: Job["transport"], fds: readonly number[]): void {
  switch (transport) {
    case "nbd":
      return fds.forEach((fd) => server.serveKernel(fd));
    case "fuse":
    case "view":
      return server.serveFuse(fds);
    case "socket":
      return fds.forEach((fd) => server.listen(new Fd(fd)));
  }
}

/** Tells the command, unless that was killed: then nobody will set up what would be served. */
function tryToAnswer(message: Answer, errors: Fd): boolean {
  try {
    answer(message, errors);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/** From then on, nobody listens to errors: they go where `errors` leads, which is closed. */
function answer(message: Answer, errors: Fd): void {
  writeText(DaemonFd.Ready, JSON.stringify(message));
  libc().close(DaemonFd.Ready);
  libc().dup2(errors.number, DaemonFd.Errors);
  errors.close();
}

/**
 * A command that ends without having said "go" has failed to set up the device. Only after it, nobody
 * waits for what takes some milliseconds.
 */
function watchLifeline(server: Server, surroundings: Surroundings): void {
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

interface Means {
  readonly surroundings: Surroundings;
  readonly own: OwnState;
}

/**
 * SIGTERM is a lazy detach, for at shutdown it comes before the file system is unmounted. SIGINT
 * ends a socket at once; a device has to be disconnected instead. SIGHUP: look at the image's size.
 */
function watchSignals(
  server: Server,
  job: Job,
  { surroundings, own, lazyDetach }: Means & { lazyDetach: LazyDetach },
): void {
  const signals = new SignalReader(daemonSignals().filter((signal) => signal <= SIGTERM));
  const obey = job.transport === "socket"
    ? (signal: number): void => {
      if (signal === SIGINT) server.finish();
      if (signal === SIGTERM) endSocket(server, surroundings);
    }
    : (signal: number): void => {
      const state = signal === SIGTERM ? own.read() : undefined;
      if (state !== undefined) lazyDetach.start(state);
    };
  server.watch(signals.fd, () => {
    for (let signal = signals.next(); signal !== 0; signal = signals.next()) {
      attempt(job, () => signal === SIGHUP ? refreshSize(server, own) : obey(signal));
    }
  });
}

/** What signals cannot say is asked for on a socket. */
function takeCommands(listener: Fd, server: Server, own: OwnState): void {
  new ControlServer(listener, server, (request, answer) => {
    if (request.kind === "snapshot") {
      server.changeSnapshots(request.change);
      return answer({ ok: true, sizeBytes: server.description.sizeBytes });
    }
    const chooseBytes = (hasBytes: number): number => wantedBytes(request, hasBytes);
    server.grow(chooseBytes, () => {
      const { sizeBytes } = server.description;
      own.change({ sizeBytes });
      answer({ ok: true, sizeBytes });
    });
  });
}

/** Whatever goes wrong besides it, serving goes on. */
function attempt(job: Job, act: () => void): void {
  try {
    act();
  } catch (error) {
    new Log(job.imagePath).error(reasonOf(error));
  }
}

/** The state file tells the command that asked for it which size was found. */
function refreshSize(server: Server, own: OwnState): void {
  const report = (): void => {
    const { sizeBytes } = server.description;
    own.change({ sizeBytes, sizeChecks: (own.read()?.sizeChecks ?? 0) + 1 });
  };
  try {
    server.refreshSize(report);
  } catch (error) {
    report();
    throw error;
  }
}

function endSocket(server: Server, surroundings: Surroundings): void {
  surroundings.removeSocket();
  server.stopListening();
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
