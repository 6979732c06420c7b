/**
 * A daemon that waits for its job.
 *
 * @module
 */
import type { DaemonRoot } from "../kernel/daemon_root.ts";
import { roomArgument } from "../sys/command_line.ts";
import { openWitness } from "../storage/write_witness.ts";
import { sendDescriptors } from "../sys/descriptor_passing.ts";
import { EPIPE, ifPossible, SystemError } from "../sys/errno.ts";
import { type Fd, readText, writeBytes, writeText } from "../sys/files.ts";
import { openKernelLog } from "../sys/kernel_log.ts";
import { libc } from "../sys/libc.ts";
import { isReadable } from "../sys/poll.ts";
import { SIGKILL } from "../sys/signals.ts";
import { endSending, pipe, streamPair } from "../sys/sockets.ts";
import { openNull, waitFor } from "../sys/spawn.ts";
import { trace } from "../sys/trace.ts";
import { isRefusedToGuard, makeRoot, openRunFolder } from "./daemon_means.ts";
import { DAEMON_ARGUMENT } from "./hidden_arguments.ts";
import { receiveHandOver } from "./hand_over.ts";
import { jobOfNext } from "./heritage.ts";
import { type Answer, COMMAND_LINE_ROOM_BYTES, encodeJob, GO, HAND_OVER, type Job } from "./job.ts";
import { countsOf, type DescriptorLists, inOrder } from "./job_descriptors.ts";
import { lastWords } from "./last_words.ts";
import {
  DaemonDiedError,
  type JobDescriptors,
  type Launched,
  type Launching,
  type Patience,
} from "./launched.ts";
import { spawnSelf } from "./own_program.ts";
import { identityOf, type ProcessIdentity } from "./processes.ts";
import { readBehindProgress } from "./progress.ts";
import type { DaemonScope } from "./scope.ts";

/** After so long a wait the user is told what takes its time. */
const SLOW_MS = 3000;

/** Started, and nothing else yet. */
export class WaitingDaemon implements Launching, Disposable {
  readonly #process: ProcessIdentity;
  readonly #job: Fd;
  readonly #ready: Fd;
  readonly #lifeline: Fd;
  readonly #watch: Fd;
  readonly #errors: Fd;
  readonly #mayWaitForItself: boolean;
  readonly #scope: DaemonScope | undefined;
  #root: DaemonRoot | undefined;
  #given: Given | undefined;

  /**
   * @param scope where it is to live, if not where this does
   * @throws {SystemError} as posix_spawn(3)
   */
  constructor(servesDevice: boolean, scope?: DaemonScope) {
    this.#scope = scope;
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
    using scope = this.#scope;
    if (!isReadable(this.#ready.number, SLOW_MS)) onSlow();
    const text = readBehindProgress(this.#ready.number, onProgress);
    this.#ready.close();
    trace("daemon", () => `pid ${pid} answers ${text || "nothing"}`);
    if (text === "") throw new DaemonDiedError(`the daemon did not start: ${this.#lastWords()}`);
    this.#errors.close();
    scope?.take([pid]);
    const lifeline = this.#lifeline;
    const watch = this.#watch;
    const answer = JSON.parse(text) as Answer;
    return {
      process: this.#process,
      answer,
      mayWaitForItself: this.#mayWaitForItself,
      heritage: () => this.#heritage(answer),
      confirm: (device) => {
        this.#furnish(device);
        writeText(lifeline.number, `${GO}${device}`);
        lifeline.close();
        this.#job.close();
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

  get process(): ProcessIdentity {
    return this.#process;
  }

  /** Gives it its job, and leaves nothing of a passphrase in that behind. */
  handOver(job: Job, { served, stateFile, control, kept, left }: JobDescriptors): void {
    const root = this.#root = left === undefined ? makeRoot() : undefined;
    const staying = {
      stateFile: [stateFile.fd],
      commands: numbersOf(stateFile.control),
      root: root === undefined ? [] : [root.fd],
      kept: numbersOf(kept),
      ...left,
    };
    const lists = { ...staying, served: numbersOf(served), control: numbersOf(control) };
    const { passphrase: _, ...open } = job;
    this.#given = { job: open, descriptors: staying };
    const bytes = encodeJob({ ...job, descriptors: countsOf(lists) });
    try {
      sendDescriptors(this.#job.number, inOrder(lists));
      writeBytes(this.#job.number, bytes);
    } catch (error) {
      // It has ended: what it had to say of that is asked for next.
      if (!(error instanceof SystemError) || error.errno !== EPIPE) throw error;
    } finally {
      bytes.fill(0);
      endSending(this.#job.number);
      for (const fd of served) fd.close();
      control?.close();
    }
  }

  #heritage(answer: Answer): ReturnType<Launched["heritage"]> {
    const given = this.#given;
    if (given === undefined || !answer.ok || given.descriptors.kept.length === 0) return undefined;
    writeText(this.#lifeline.number, HAND_OVER);
    const handed = receiveHandOver(this.#job.number);
    if (handed === undefined) return undefined;
    const witnesses = handed.descriptors.files.flatMap((fd) => openWitness(fd) ?? []);
    return {
      job: jobOfNext(given.job, answer, handed),
      descriptors: {
        ...given.descriptors,
        ...handed.descriptors,
        witnesses: numbersOf(witnesses),
      },
      deaths: [],
      [Symbol.dispose]: () => {
        for (const fd of witnesses) fd.close();
        handed[Symbol.dispose]();
      },
    };
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
    this.#scope?.[Symbol.dispose]();
  }
}

/** What it has been given, as far as that is not its own. */
interface Given {
  readonly job: Job;
  readonly descriptors: DescriptorLists & Required<Pick<DescriptorLists, "kept">>;
}

function numbersOf(fds: readonly Fd[] | Fd | undefined): number[] {
  if (fds === undefined) return [];
  return "number" in fds ? [fds.number] : fds.map(({ number }) => number);
}
