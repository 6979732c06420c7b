/**
 * The server of one image, by NBD or FUSE: the main thread's loop, and worker threads beside it.
 *
 * An NBD connection is given to a thread when it first has something to say. The main thread serves
 * the first one itself, so that the usual single client costs no second thread. A FUSE session begins
 * with the main thread, too; when there is more to do than that can, further threads serve descriptors
 * of their own.
 *
 * @module
 */
import { cachesOfFurtherThread } from "../image/cache_sizes.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { KeyRing } from "../image/key_ring.ts";
import type { ImageRequest } from "../disk/request.ts";
import { RAW } from "../image/formats.ts";
import { checked } from "../sys/errno.ts";
import { type Fd } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { reasonOf } from "../sys/reason.ts";
import { IoBuffer } from "../sys/memory.ts";
import { acceptClient, MSG_DONTWAIT, pipe, takeOverListener } from "../sys/sockets.ts";
import { Command, REQUEST } from "../nbd/protocol.ts";
import type { ThreadedDecodeLane } from "./decode_lane.ts";
import { concludeImage } from "../loop/conclude.ts";
import type { ServeLoop } from "../loop/serve_loop.ts";
import { Channels } from "./channels.ts";
import type { ExportDescription } from "../nbd/export.ts";
import { SharedState } from "../loop/shared_state.ts";
import { MAX_THREADS } from "../loop/threads.ts";
import { startThread } from "./start_thread.ts";
import type { ErrorLog } from "../loop/executor.ts";
import { CONTROL, Control, type WorkerStart } from "./worker_protocol.ts";

const MSG_PEEK = 0x2;
/** A client more would need a descriptor, and buffers, that may be needed elsewhere. */
const MAX_CONNECTIONS = 512;

export interface ServerOptions {
  readonly access: ImageAccess;
  /** What the image was opened with. */
  readonly decoding: ThreadedDecodeLane;
  /** For other threads to open the image once more. */
  readonly image: ImageRequest;
  /** What opened it, if it is encrypted. */
  readonly keys?: KeyRing;
  /** For the log. */
  readonly imagePath: string;
  readonly log: ErrorLog;
  /** A FUSE file is as long as whole sectors of this size. */
  readonly sectorBytes: number;
  /** Threads to use at most, the main one included. */
  readonly threads: number;
  /** Whether the threads of a FUSE session start at once, not only when there is much to do. */
  readonly startAll: boolean;
  readonly maySpin: boolean;
  /** As {@link LoopContext.cleanIntervalMs}. */
  readonly cleanIntervalMs: number;
}

interface Worker {
  readonly thread: number;
  readonly control: Fd;
}

export class Server {
  readonly #options: ServerOptions;
  readonly #shared = new SharedState();
  readonly #channels: Channels;
  readonly #loop: ServeLoop;
  readonly #workers: Worker[] = [];
  readonly #wake: readonly [Fd, Fd] = pipe();
  readonly #buffer = new IoBuffer(64);
  /** Kernel sockets that have not said anything yet. */
  readonly #silent = new Set<number>();
  /** Descriptors of a FUSE session that no thread serves yet. */
  readonly #spareFuse: number[] = [];
  #listener: Fd | undefined;
  /** What {@link SharedState.sizesTaken} will be when all workers know the size. */
  #sizesAsked = 0;
  #onSizeTaken: (() => void)[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#channels = new Channels({
      access: options.access,
      decoding: options.decoding,
      shared: this.#shared,
      log: options.log,
      thread: 0,
      maySpin: options.maySpin,
      cleanIntervalMs: options.cleanIntervalMs,
      onConnectionEnd: () => this.#endIfDone(),
      onOverload: () => this.#shareFuse(),
    });
    this.#loop = this.#channels.loop;
    const wakeFd = this.#wake[0].number;
    this.#loop.addSource({ fd: wakeFd, onReadable: () => this.#wokenByWorker(wakeFd) });
  }

  get description(): ExportDescription {
    return this.#channels.description;
  }

  /**
   * Makes everything durable after {@link Server.run}, and closes the image in order; false if some of
   * it may be lost.
   */
  conclude(): boolean {
    this.#loop.executor.finishSync();
    try {
      return concludeImage(this.#options.access, this.#shared);
    } catch (error) {
      this.#options.log.error(`the image could not be closed in order: ${reasonOf(error)}`);
      return false;
    }
  }

  /** Has the loop watch another descriptor. */
  watch(fd: number, onReadable: () => void): void {
    this.#loop.addSource({ fd, onReadable });
  }

  unwatch(fd: number): void {
    this.#loop.removeSource(fd);
  }

  /** Accepts clients on a listening socket from now on. */
  listen(listener: Fd): void {
    takeOverListener(listener.number);
    this.#listener = listener;
    this.#loop.addSource({ fd: listener.number, onReadable: () => this.#accept(listener.number) });
  }

  /** Serves a socket whose other end the kernel's nbd driver has. */
  serveKernel(fd: number): void {
    this.#silent.add(fd);
    this.#loop.addSource({ fd, onReadable: () => this.#assign(Control.AddKernelSocket, fd) });
  }

  /**
   * Serves a FUSE session.
   *
   * @param fds descriptors of /dev/fuse that share it; all but the first wait for a thread of their
   *   own, which they get when there is more to do than the main thread can. Threads that write share
   *   no metadata, so that only raw images are written to by several.
   */
  serveFuse([first, ...others]: readonly number[]): void {
    if (first === undefined) return;
    const { access, image, startAll } = this.#options;
    this.#shared.addConnection(0);
    this.#channels.addFuse(first, this.#options);
    if (access.readOnly || image.format === RAW.name) this.#spareFuse.push(...others);
    while (startAll && this.#spareFuse.length > 0) this.#shareFuse();
  }

  #shareFuse(): void {
    const fd = this.#spareFuse.pop();
    if (fd === undefined) return;
    const worker = this.#startWorker();
    this.#shared.addConnection(worker.thread);
    this.#command(worker, Control.AddFuse, fd);
  }

  /**
   * Takes notice of the image's size.
   *
   * @param done called when every thread goes by it
   * @throws {RangeError} if nothing would be left of the disk; then nothing is done
   */
  refreshSize(done: () => void): void {
    this.#loop.refreshSize();
    this.#sizesAsked += this.#workers.length;
    this.#onSizeTaken.push(done);
    for (const worker of this.#workers) this.#command(worker, Control.RefreshSize, 0);
    this.#announceSizeIfTaken();
  }

  /** Not earlier: whoever asks after that must not get the old size from a slower thread. */
  #announceSizeIfTaken(): void {
    if (this.#onSizeTaken.length === 0 || this.#shared.sizesTaken !== this.#sizesAsked) return;
    this.#loop.announceSize();
    const waiting = this.#onSizeTaken;
    this.#onSizeTaken = [];
    for (const done of waiting) done();
  }

  /** Serves until nobody is left who could ask for anything: see {@link Server.stopListening}. */
  run(): void {
    this.#endIfDone();
    this.#loop.run();
  }

  /** Takes no more clients; the server ends with the last connection. */
  stopListening(): void {
    if (this.#listener !== undefined) {
      this.#loop.removeSource(this.#listener.number);
      this.#listener.close();
      this.#listener = undefined;
    }
    this.#endIfDone();
  }

  /** Ends every connection once what it has asked for is answered, and with them the server. */
  finish(): void {
    for (const fd of [...this.#silent]) this.#assign(Control.AddKernelSocket, fd);
    this.#loop.finishChannels();
    for (const worker of this.#workers) this.#command(worker, Control.Finish, 0);
    this.stopListening();
  }

  #accept(listener: number): void {
    for (;;) {
      const fd = acceptClient(listener);
      if (fd < 0) return;
      // Many clients ask for the size first, hang up, and come again: that is still the first one.
      this.#loop.catchUp();
      if (this.#connections >= MAX_CONNECTIONS) libc().close(fd);
      else this.#assign(Control.AddClient, fd);
    }
  }

  #assign(what: Control, fd: number): void {
    if (this.#silent.delete(fd)) this.#loop.removeSource(fd);
    const worker = this.#isEnding(fd) ? undefined : this.#chooseWorker();
    this.#shared.addConnection(worker?.thread ?? 0);
    if (worker !== undefined) this.#command(worker, what, fd);
    else if (what === Control.AddKernelSocket) this.#channels.addKernelSocket(fd);
    else this.#channels.addClient(fd);
  }

  /** Whether the first thing a socket says is that it ends: not worth a thread. */
  #isEnding(fd: number): boolean {
    const { address, view } = this.#buffer;
    const count = libc().recv(fd, address, REQUEST.size, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0) return false;
    return count < REQUEST.size || view.getUint16(REQUEST.type) === Command.Disconnect;
  }

  /** The thread with the fewest connections, a new one if all have some; undefined: this one. */
  #chooseWorker(): Worker | undefined {
    const load = (worker: Worker): number => this.#shared.connectionsOf(worker.thread);
    const own = this.#shared.connectionsOf(0);
    if (own === 0) return undefined;
    const idlest = this.#workers.toSorted((a, b) => load(a) - load(b))[0];
    if (idlest !== undefined && load(idlest) === 0) return idlest;
    if (this.#workers.length + 1 < Math.min(this.#options.threads, MAX_THREADS)) {
      return this.#startWorker();
    }
    return idlest !== undefined && load(idlest) < own ? idlest : undefined;
  }

  #startWorker(): Worker {
    const [controlEnd, control] = pipe();
    const thread = this.#workers.length + 1;
    const { image, keys, imagePath, maySpin, cleanIntervalMs, sectorBytes } = this.#options;
    const start: WorkerStart = {
      thread,
      image: { ...image, ...cachesOfFurtherThread(image) },
      files: this.#options.access.sharedFiles,
      pieces: this.#options.access.sharedPieces,
      ...(keys === undefined ? {} : { keys }),
      imagePath,
      maySpin,
      cleanIntervalMs,
      sectorBytes,
      sharedMemory: this.#shared.memory,
      controlFd: controlEnd.release(),
      wakeFd: this.#wake[1].number,
    };
    startThread("serve/worker").postMessage(start);
    const worker = { thread, control };
    this.#workers.push(worker);
    return worker;
  }

  #command(worker: Worker, what: Control, fd: number): void {
    const { address, view } = this.#buffer;
    view.setInt32(CONTROL.what, what, true);
    view.setInt32(CONTROL.fd, fd, true);
    checked(libc().write(worker.control.number, address, CONTROL.size), "write");
  }

  #wokenByWorker(fd: number): void {
    libc().read(fd, this.#buffer.address, this.#buffer.size);
    this.#announceSizeIfTaken();
    this.#endIfDone();
  }

  get #connections(): number {
    const threads = [0, ...this.#workers.map((worker) => worker.thread)];
    const open = threads.reduce((sum, thread) => sum + this.#shared.connectionsOf(thread), 0);
    return open + this.#silent.size;
  }

  #endIfDone(): void {
    if (this.#listener === undefined && this.#connections === 0) this.#loop.stop();
  }
}
