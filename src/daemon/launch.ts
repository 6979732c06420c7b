/**
 * Starting daemons.
 *
 * @module
 */
import { DaemonRoot } from "../kernel/daemon_root.ts";
import { roomArgument } from "../sys/command_line.ts";
import { sendDescriptors } from "../sys/descriptor_passing.ts";
import { EPERM, EPIPE, ifPossible, SystemError } from "../sys/errno.ts";
import { type Fd, O_PATH, openFile, readText, writeBytes, writeText } from "../sys/files.ts";
import { openKernelLog } from "../sys/kernel_log.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { isReadable } from "../sys/poll.ts";
import { pipe, streamPair } from "../sys/sockets.ts";
import { SIGKILL } from "../sys/signals.ts";
import { openNull, waitFor } from "../sys/spawn.ts";
import { trace } from "../sys/trace.ts";
import { DAEMON_ARGUMENT } from "./hidden_arguments.ts";
import { type Answer, COMMAND_LINE_ROOM_BYTES, encodeJob, GO, type Job } from "./job.ts";
import type { UnfinishedFile } from "./state_file.ts";
import { lastWords } from "./last_words.ts";
import { readBehindProgress } from "./progress.ts";
import { ownExecutable, spawnSelf } from "./own_program.ts";
import { identityOf, type ProcessIdentity } from "./processes.ts";

/** Writing back what others wait for must not wait for memory that is being freed by it. */
const PR_SET_IO_FLUSHER = 57;
/** After so long a wait the user is told what takes its time. */
const SLOW_MS = 3000;

/** The descriptors that come with a job. */
export interface JobDescriptors {
  /** What is to be served. */
  readonly served: readonly Fd[];
  /** The daemon's state file, for it to hold, with its control socket; stays the caller's. */
  readonly stateFile: Pick<UnfinishedFile, "fd" | "control">;
  /** The control socket of the nbd driver. */
  readonly control?: Fd;
}

/** A daemon that has answered. */
export interface Launched {
  readonly process: ProcessIdentity;
  readonly answer: Answer;
  /**
   * Whether it may have to wait, for memory, until what was written to its own device is written back:
   * for ever. It could not be kept from that.
   */
  readonly mayWaitForItself: boolean;
  /** Tells the daemon that its device, or socket, is set up at this path. */
  confirm(device: string): void;
  /** Makes the daemon end, unless it was confirmed. */
  abandon(): void;
  /** Reads as {@link DONE} when the daemon ends in order, and just ends when it is killed. */
  readonly watch: Fd;
}

/**
 * The daemons of one command. The runtime takes a third of an attach to start, so that the first
 * daemon may be started before it is known what exactly it is to do. One that never gets a job is
 * ended with this.
 */
export class Daemons implements Disposable {
  #waiting: WaitingDaemon | undefined;

  /** Starts a daemon for {@link Daemons.launch}; that will tell if it cannot be started. */
  startAhead(transport: "device" | "socket"): void {
    try {
      this.#waiting = new WaitingDaemon(transport !== "socket");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /**
   * Hands a daemon its job; starts one if none is waiting.
   *
   * @param descriptors sent along; but for the state file they are closed here
   * @throws {SystemError} if it cannot be started
   */
  launch(job: Job, descriptors: JobDescriptors): Launching {
    const daemon = this.#waiting ??= new WaitingDaemon(job.transport !== "socket");
    daemon.handOver(job, descriptors);
    this.#waiting = undefined;
    return daemon;
  }

  [Symbol.dispose](): void {
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = undefined;
  }
}

/** A daemon that has its job. */
export interface Launching {
  /**
   * Waits for what it says.
   *
   * @throws {Error} if it ends without an answer
   */
  answer(patience?: Patience): Launched;
}

/** Who is told while a daemon lets others wait. */
export interface Patience {
  /** Called once if nothing is heard of it for some seconds. */
  readonly onSlow?: () => void;
  /** Called now and then with how far it is, from 0 to 1. */
  readonly onProgress?: (part: number) => void;
}

/** A daemon that waits for its job. */
class WaitingDaemon implements Launching, Disposable {
  readonly #process: ProcessIdentity;
  readonly #job: Fd;
  readonly #ready: Fd;
  readonly #lifeline: Fd;
  readonly #watch: Fd;
  readonly #errors: Fd;
  readonly #mayWaitForItself: boolean;
  #root: DaemonRoot | undefined;

  /** @throws {SystemError} as posix_spawn(3) */
  constructor(servesDevice: boolean) {
    this.#mayWaitForItself = servesDevice && isRefusedToGuard();
    const [jobEnd, job] = streamPair();
    const [ready, readyStart] = pipe();
    const [lifelineEnd, lifeline] = pipe();
    const [watch, watchEnd] = pipe();
    const [errors, errorsEnd] = pipe();
    const nothing = openNull();
    const run = openRunFolder();
    const log = openKernelLog() ?? openNull();
    const daemonEnds = [
      ...[jobEnd, nothing, errorsEnd, readyStart, lifelineEnd, watchEnd],
      ...[run, log],
    ];
    const pid = spawnSelf(
      [DAEMON_ARGUMENT, roomArgument(COMMAND_LINE_ROOM_BYTES)],
      daemonEnds.map(({ number }) => number),
    );
    for (const fd of daemonEnds) fd.close();
    this.#process = identityOf(pid) ?? { pid, startTime: 0 };
    this.#job = job;
    this.#ready = ready;
    this.#lifeline = lifeline;
    this.#watch = watch;
    this.#errors = errors;
  }

  answer({ onSlow = () => {}, onProgress = () => {} }: Patience = {}): Launched {
    const { pid } = this.#process;
    if (!isReadable(this.#ready.number, SLOW_MS)) onSlow();
    const text = readBehindProgress(this.#ready.number, onProgress);
    this.#ready.close();
    trace("daemon", () => `pid ${pid} answers ${text || "nothing"}`);
    if (text === "") throw new Error(`the daemon did not start: ${this.#lastWords()}`);
    this.#errors.close();
    const lifeline = this.#lifeline;
    const watch = this.#watch;
    return {
      process: this.#process,
      answer: JSON.parse(text) as Answer,
      mayWaitForItself: this.#mayWaitForItself,
      confirm: (device) => {
        this.#furnish(device);
        writeText(lifeline.number, `${GO}${device}`);
        lifeline.close();
      },
      abandon: () => {
        lifeline.close();
        watch.close();
      },
      watch,
    };
  }

  /** Lets the daemon open its device from its own root. Only a detach by SIGTERM needs that. */
  #furnish(device: string): void {
    using root = this.#root;
    if (device.startsWith("/dev/")) ifPossible(() => root?.addDevice(device));
  }

  /** Gives it its job, and leaves nothing of a passphrase in that behind. */
  handOver(job: Job, { served, stateFile, control }: JobDescriptors): void {
    const numbers = (fds: readonly Fd[]): number[] => fds.map(({ number }) => number);
    const root = this.#root = makeRoot();
    const others = control === undefined ? [] : [control];
    const sockets = stateFile.control === undefined ? [] : [stateFile.control];
    const bytes = encodeJob({
      ...job,
      takesCommands: sockets.length > 0,
      hasOwnRoot: root !== undefined,
    });
    try {
      const descriptors = [...numbers(served), stateFile.fd, ...numbers([...others, ...sockets])];
      sendDescriptors(this.#job.number, root ? [...descriptors, root.fd] : descriptors);
      writeBytes(this.#job.number, bytes);
    } catch (error) {
      // It has ended: what it had to say of that is asked for next.
      if (!(error instanceof SystemError) || error.errno !== EPIPE) throw error;
    } finally {
      bytes.fill(0);
      this.#job.close();
      for (const fd of [...served, ...others]) fd.close();
    }
  }

  #lastWords(): string {
    const code = waitFor(this.#process.pid);
    return lastWords(readText(this.#errors.number)) ?? `exit code ${code}`;
  }

  /** Ends it. It has done nothing yet. */
  [Symbol.dispose](): void {
    const { pid } = this.#process;
    libc().kill(pid, SIGKILL);
    waitFor(pid);
    const fds = [this.#job, this.#ready, this.#lifeline, this.#watch, this.#errors];
    for (const fd of fds) fd.close();
  }
}

/**
 * Has the daemon that is started next, which inherits that, never wait for writing back when it needs
 * memory; kernels before 5.6 cannot do that for anybody.
 *
 * @returns whether the kernel has refused, for want of CAP_SYS_RESOURCE
 */
function isRefusedToGuard(): boolean {
  return libc().prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) !== 0 && lastErrno() === EPERM;
}

/** Run from sources, the program reads the modules of its threads as they start: they need the system's. */
function makeRoot(): DaemonRoot | undefined {
  const isWanted = Deno.build.standalone && libc().geteuid() === 0;
  return isWanted ? DaemonRoot.make(ownExecutable()) : undefined;
}

function openRunFolder(): Fd {
  return ifPossible(() => openFile("/run", O_PATH)) ?? openFile("/", O_PATH);
}
