/**
 * The further threads of a server, which serve for the main one when there are several connections.
 *
 * None of them is necessary. What one has not taken on when it fails comes back to the main thread,
 * which serves it itself; so it does where none can be started.
 *
 *     main ── commands (a pipe) ──> thread
 *       └────── reads them itself <── has failed (a bit in shared memory, and a byte to wake main)
 *
 * @module
 */
import type { ErrorLog } from "../loop/failures.ts";
import type { SharedState } from "../loop/shared_state.ts";
import { MAX_THREADS } from "../loop/threads.ts";
import { checked } from "../sys/errno.ts";
import type { Fd } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { isReadable } from "../sys/poll.ts";
import { reasonOf } from "../sys/reason.ts";
import { pipe } from "../sys/sockets.ts";
import { startThread } from "./start_thread.ts";
import { CONTROL, Control, type WorkerStart } from "./worker_protocol.ts";

/** No thread is started for so long after one could not be, or has failed. */
const RETRY_MS = 10_000;

/** A thread that serves. */
export interface Worker {
  readonly thread: number;
  /** What it obeys is written here, and read from `commands` by the thread, for as long as that lives. */
  readonly control: Fd;
  readonly commands: Fd;
}

/** What a thread was to do. */
export interface WorkerCommand {
  readonly what: Control;
  readonly fd: number;
}

export interface WorkersContext {
  readonly shared: SharedState;
  readonly log: ErrorLog;
  /** Most threads to use, the main one included. */
  readonly threads: number;
  /** What a thread is told at its start, beside what it has from here. */
  readonly describe: () => Omit<WorkerStart, "thread" | "controlFd">;
}

export class Workers {
  readonly #context: WorkersContext;
  readonly #maxWorkers: number;
  readonly #record = new IoBuffer(CONTROL.size);
  #workers: Worker[] = [];
  #notBeforeMs = -Infinity;

  constructor(context: WorkersContext) {
    this.#context = context;
    this.#maxWorkers = Math.min(context.threads, MAX_THREADS) - 1;
  }

  /** Connections that all of them serve, or are about to. */
  get connections(): number {
    return this.#workers.reduce((sum, worker) => sum + this.#load(worker), 0);
  }

  #load({ thread }: Worker): number {
    return this.#context.shared.connectionsOf(thread);
  }

  /**
   * The thread that is to serve one more connection: the one with the fewest, a new one if all have
   * some; undefined for the main thread, which has `ownLoad`.
   */
  choose(ownLoad: number): Worker | undefined {
    if (ownLoad === 0) return undefined;
    const idlest = this.#workers.toSorted((a, b) => this.#load(a) - this.#load(b))[0];
    if (idlest !== undefined && this.#load(idlest) === 0) return idlest;
    const started = this.start();
    if (started !== undefined) return started;
    return idlest !== undefined && this.#load(idlest) < ownLoad ? idlest : undefined;
  }

  /** Starts one more thread; undefined where that is too many, or cannot be done now. */
  start(): Worker | undefined {
    if (this.#workers.length >= this.#maxWorkers) return undefined;
    if (performance.now() < this.#notBeforeMs) return undefined;
    try {
      return this.#start();
    } catch (error) {
      this.#context.log.error(`no further thread can be started: ${reasonOf(error)}`);
      this.#waitAWhile();
      return undefined;
    }
  }

  #waitAWhile(): void {
    this.#notBeforeMs = performance.now() + RETRY_MS;
  }

  /** @throws {Error} where there is a want of descriptors, or of threads */
  #start(): Worker {
    using undo = new DisposableStack();
    const [commands, control] = pipe();
    undo.use(commands);
    undo.use(control);
    const thread = this.#freeNumber();
    const start: WorkerStart = {
      ...this.#context.describe(),
      thread,
      controlFd: commands.number,
    };
    startThread("serve/worker").postMessage(start);
    const worker = { thread, control, commands };
    this.#workers.push(worker);
    undo.move();
    return worker;
  }

  #freeNumber(): number {
    const isTaken = (number: number): boolean =>
      this.#workers.some(({ thread }) => thread === number);
    let number = 1;
    while (isTaken(number)) number++;
    return number;
  }

  /** Gives a connection to a thread. */
  give({ what, fd }: WorkerCommand, worker: Worker): void {
    this.#context.shared.addConnection(worker.thread);
    this.#command({ what, fd }, worker);
  }

  /** Gives a command that is about no connection to all threads; how many they are. */
  tellAll(what: Control): number {
    for (const worker of this.#workers) this.#command({ what, fd: -1 }, worker);
    return this.#workers.length;
  }

  #command({ what, fd }: WorkerCommand, { control }: Worker): void {
    const { address, view } = this.#record;
    view.setInt32(CONTROL.what, what, true);
    view.setInt32(CONTROL.fd, fd, true);
    checked(libc().write(control.number, address, CONTROL.size), "write");
  }

  /** What threads that have failed have left undone; their connections are nobody's then. */
  takeBack(): WorkerCommand[] {
    const failed = this.#context.shared.takeFailedThreads();
    if (failed === 0) return [];
    this.#waitAWhile();
    const isFailed = ({ thread }: Worker): boolean => (failed >> thread & 1) !== 0;
    const gone = this.#workers.filter(isFailed);
    this.#workers = this.#workers.filter((worker) => !isFailed(worker));
    return gone.flatMap((worker) => this.#takeBackFrom(worker));
  }

  #takeBackFrom({ thread, commands, control }: Worker): WorkerCommand[] {
    const { address, view } = this.#record;
    const undone: WorkerCommand[] = [];
    while (isReadable(commands.number, 0)) {
      libc().read(commands.number, address, CONTROL.size);
      const what = view.getInt32(CONTROL.what, true) as Control;
      const fd = view.getInt32(CONTROL.fd, true);
      if (fd >= 0) this.#context.shared.removeConnection(thread);
      undone.push({ what, fd });
    }
    commands.close();
    control.close();
    return undone;
  }
}
