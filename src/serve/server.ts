/**
 * The server of one image, by NBD or FUSE: the main thread's loop, and further threads beside it.
 *
 * An NBD connection is given to a thread when it first has something to say. The main thread serves
 * the first one itself, so that the usual single client costs no second thread. A FUSE session begins
 * with the main thread, too; when there is more to do than that can, further threads serve descriptors
 * of their own. Where only one thread may change the image, the main one serves alone.
 *
 * @module
 */
import { cachesOfFurtherThread } from "../image/cache_sizes.ts";
import type { SnapshotChange } from "../image/snapshot_change.ts";
import { concludeImage } from "../loop/conclude.ts";
import { flushAtEnd } from "../loop/flush_at_end.ts";
import type { ServeLoop } from "../loop/serve_loop.ts";
import { SharedState } from "../loop/shared_state.ts";
import type { ExportDescription } from "../nbd/export.ts";
import { isEnding } from "../nbd/first_words.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import type { Fd } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { reasonOf } from "../sys/reason.ts";
import { pipe } from "../sys/sockets.ts";
import { resendRequests } from "../fuse/resend.ts";
import { Channels } from "./channels.ts";
import { Listener } from "./listener.ts";
import type { ServerOptions } from "./server_options.ts";
import { SizeRounds } from "./size_rounds.ts";
import { Control, type WorkerStart } from "./worker_protocol.ts";
import { type WorkerCommand, Workers } from "./workers.ts";

/** A client more would need a descriptor, and buffers, that may be needed elsewhere. */
export const MAX_CONNECTIONS = 512;

export class Server {
  readonly #options: ServerOptions;
  readonly #shared: SharedState;
  readonly #channels: Channels;
  readonly #loop: ServeLoop;
  readonly #workers: Workers;
  readonly #wake: readonly [Fd, Fd] = pipe();
  readonly #buffer = new IoBuffer(64);
  /** Kernel sockets that have not said anything yet. */
  readonly #silent = new Set<number>();
  /** Descriptors of a FUSE session that no thread serves yet. */
  readonly #spareFuse: number[] = [];
  #listener: Listener | undefined;
  readonly #sizeRounds: SizeRounds;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#shared = new SharedState(undefined, options.access.kept?.journal.lostAddress);
    this.#sizeRounds = new SizeRounds(this.#shared);
    // By an earlier daemon: whoever flushes is told so.
    if (options.access.hasLost) this.#shared.setFlushFailed();
    this.#workers = new Workers({
      shared: this.#shared,
      log: options.log,
      threads: this.usefulConnections,
      describe: () => this.#describeStart(),
    });
    this.#channels = new Channels({
      access: options.access,
      decoding: options.decoding,
      shared: this.#shared,
      log: options.log,
      thread: 0,
      maySpin: options.maySpin,
      writePolicy: options.writePolicy,
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

  /** How many threads may serve: they share no metadata, so that who changes them does it alone. */
  get usefulConnections(): number {
    return this.#options.access.writers === "any" ? this.#options.threads : 1;
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

  /** Has those who connect to a listening socket given to `onClient`, by their descriptors. */
  accept(socket: Fd, onClient: (fd: number) => void): Listener {
    return new Listener(socket, { loop: this.#loop, log: this.#options.log, onClient });
  }

  /** Accepts clients on a listening socket from now on. */
  listen(socket: Fd): void {
    this.#listener = this.accept(socket, (fd) => this.#takeIn(fd));
  }

  /** Serves a socket whose other end the kernel's nbd driver has. */
  serveKernel(fd: number): void {
    this.#silent.add(fd);
    this.#loop.addSource({
      fd,
      onReadable: () => this.#assign({ what: Control.AddKernelSocket, fd }),
    });
  }

  /**
   * Serves a FUSE session.
   *
   * @param fds descriptors of /dev/fuse that share it; all but the first wait for a thread of their
   *   own, which they get when there is more to do than the main thread can
   * @param isTakenOver whether somebody has served it before, whose requests are to be served anew
   * @throws {SystemError} EINVAL if the kernel cannot hand them out once more
   */
  serveFuse(
    [first, ...others]: readonly number[],
    { isTakenOver }: { readonly isTakenOver: boolean },
  ): void {
    if (first === undefined) return;
    if (isTakenOver) resendRequests(first);
    this.#shared.addConnection(0);
    this.#channels.addFuse(first, this.#options);
    this.#spareFuse.push(...others);
    while (this.#options.startAll && this.#shareFuse());
  }

  /** Has one more thread serve the FUSE session; false if there is none, or it needs no more. */
  #shareFuse(): boolean {
    const fd = this.#spareFuse.at(-1);
    const worker = fd === undefined ? undefined : this.#workers.start();
    if (fd === undefined || worker === undefined) return false;
    this.#spareFuse.pop();
    this.#workers.give({ what: Control.AddFuse, fd }, worker);
    return true;
  }

  /**
   * Makes the disk of the image larger, while nothing else is done.
   *
   * @param chooseBytes says how large, by what the disk has
   * @param done called when every thread goes by the new size
   * @throws {RangeError} if that is not possible
   * @throws {SystemError | ImageFormatError} if it fails: the disk has its old size then
   */
  grow(chooseBytes: (hasBytes: number) => number, done: () => void): void {
    const { access } = this.#options;
    const { round } = access;
    if (access.readOnly || round === undefined) throw new RangeError("the device is read-only");
    this.#loop.executor.finishFlushes();
    access.grow(chooseBytes(access.image.sizeBytes), () => flushAtEnd(round, this.#shared));
    this.refreshSize(done);
  }

  /**
   * Changes the internal snapshots of the image, while nothing else is done; throws as {@link Snapshots.change}.
   */
  changeSnapshots(change: SnapshotChange): void {
    const { access } = this.#options;
    const { round } = access;
    if (access.readOnly || round === undefined) throw new RangeError("the device is read-only");
    this.#loop.executor.finishFlushes();
    access.changeSnapshots(change, () => flushAtEnd(round, this.#shared));
  }

  /** How many internal snapshots the image has. */
  get snapshots(): number {
    return this.#options.access.image.writing?.snapshots?.count ?? 0;
  }

  /** Size of the whole disk, whatever part of it is served. */
  get diskBytes(): number {
    return this.#options.access.image.sizeBytes;
  }

  /**
   * Makes durable what has been changed.
   *
   * @throws {SystemError} EIO if that fails
   */
  flush(): void {
    const { round, path } = this.#options.access;
    this.#loop.executor.finishFlushes();
    if (round !== undefined && !flushAtEnd(round, this.#shared)) {
      throw new SystemError("fdatasync", EIO, path);
    }
  }

  /**
   * Takes notice of the image's size.
   *
   * @param done called when every thread goes by it
   * @throws {RangeError} if nothing would be left of the disk; then nothing is done
   */
  refreshSize(done: () => void): void {
    this.#loop.refreshSize();
    this.#sizeRounds.begin(this.#workers.tellAll(Control.RefreshSize), done);
    this.#announceSizeIfTaken();
  }

  #announceSizeIfTaken(): void {
    this.#sizeRounds.endIfTaken(() => this.#loop.announceSize());
  }

  /** Serves until nobody is left who could ask for anything: see {@link Server.stopListening}. */
  run(): void {
    this.#endIfDone();
    this.#loop.run();
  }

  /** Takes no more clients; the server ends with the last connection. */
  stopListening(): void {
    this.#listener?.[Symbol.dispose]();
    this.#listener = undefined;
    this.#endIfDone();
  }

  /** Ends every connection once what it has asked for is answered, and with them the server. */
  finish(): void {
    for (const fd of [...this.#silent]) this.#assign({ what: Control.AddKernelSocket, fd });
    this.#loop.finishChannels();
    this.#workers.tellAll(Control.Finish);
    this.stopListening();
  }

  #takeIn(fd: number): void {
    // Many clients ask for the size first, hang up, and come again: that is still the first one.
    this.#loop.catchUp();
    if (this.#connections < MAX_CONNECTIONS) return this.#assign({ what: Control.AddClient, fd });
    this.#options.log.error(`a client was refused: ${MAX_CONNECTIONS} are connected already`);
    libc().close(fd);
  }

  #assign(connection: WorkerCommand): void {
    const { fd } = connection;
    if (this.#silent.delete(fd)) this.#loop.removeSource(fd);
    const ownLoad = this.#shared.connectionsOf(0);
    // To take notice of an end is not worth a thread.
    const worker = isEnding(fd) ? undefined : this.#workers.choose(ownLoad);
    if (worker === undefined) this.#serveHere(connection);
    else this.#workers.give(connection, worker);
  }

  #serveHere({ what, fd }: WorkerCommand): void {
    this.#shared.addConnection(0);
    if (what === Control.AddKernelSocket) this.#channels.addKernelSocket(fd);
    else this.#channels.addClient(fd);
  }

  #describeStart(): Omit<WorkerStart, "thread" | "controlFd"> {
    const { access, image, keys, imagePath, maySpin } = this.#options;
    const { cleanIntervalMs, sectorBytes, servedLayout, writePolicy } = this.#options;
    return {
      image: { ...image, ...cachesOfFurtherThread(image) },
      files: access.sharedFiles,
      pieces: access.sharedPieces,
      ...(keys === undefined ? {} : { keys }),
      imagePath,
      maySpin,
      writePolicy,
      cleanIntervalMs,
      sectorBytes,
      ...(servedLayout === undefined ? {} : { servedLayout }),
      sharedMemory: this.#shared.memory,
      lostAddress: this.#shared.lostAddress,
      wakeFd: this.#wake[1].number,
    };
  }

  #wokenByWorker(fd: number): void {
    libc().read(fd, this.#buffer.address, this.#buffer.size);
    for (const undone of this.#workers.takeBack()) this.#doItself(undone);
    this.#announceSizeIfTaken();
    this.#endIfDone();
  }

  /** Does what a thread was to do that has failed. */
  #doItself(undone: WorkerCommand): void {
    switch (undone.what) {
      case Control.AddKernelSocket:
      case Control.AddClient:
        return this.#serveHere(undone);
      case Control.AddFuse:
        // The session is served here anyway.
        this.#spareFuse.push(undone.fd);
        return;
      case Control.RefreshSize:
        return this.#shared.addSizeTaken();
      case Control.Finish:
        return;
    }
  }

  get #connections(): number {
    return this.#shared.connectionsOf(0) + this.#workers.connections + this.#silent.size;
  }

  #endIfDone(): void {
    if (this.#listener === undefined && this.#connections === 0) this.#loop.stop();
  }
}
