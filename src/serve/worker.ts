/**
 * Entry of a worker thread: serves the connections the main thread hands over.
 *
 * @module
 */
import { Log } from "../sys/log.ts";
import { openSharedImage } from "../disk/open.ts";
import { libc, openHotCalls } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { reasonOf } from "../sys/reason.ts";
import { forgetStartupPages } from "../sys/startup_memory.ts";
import { ServeLoop } from "../loop/serve_loop.ts";
import { SharedState } from "../loop/shared_state.ts";
import { CONTROL, Control, type WorkerStart } from "./worker_protocol.ts";

function serve(start: WorkerStart): void {
  openHotCalls();
  const control = new ControlPipe(start);
  let loop: ServeLoop | undefined;
  try {
    loop = createLoop(start, control);
    forgetStartupPages();
    loop.run();
  } catch (error) {
    const reason = reasonOf(error);
    new Log(start.imagePath).error(`thread ${start.thread} has failed: ${reason}`);
    // Whoever waits for an answer from this thread had better see the end of the connection.
    loop?.closeChannels();
    control.refuseAll();
  }
}

function createLoop(start: WorkerStart, control: ControlPipe): ServeLoop {
  const loop = new ServeLoop({
    access: openSharedImage(start),
    shared: control.shared,
    log: new Log(start.imagePath),
    thread: start.thread,
    maySpin: start.maySpin,
    cleanIntervalMs: start.cleanIntervalMs,
    onOverload: () => {},
    onConnectionEnd: () => control.wakeMain(),
  });
  loop.addSource({
    fd: start.controlFd,
    onReadable: () => {
      const record = control.next();
      if (record !== undefined) obey(loop, record, { start, control });
    },
  });
  return loop;
}

/** The pipe by which the main thread commands, and the one by which it is woken. */
class ControlPipe {
  readonly shared: SharedState;
  readonly #start: WorkerStart;
  readonly #record = new IoBuffer(CONTROL.size);

  constructor(start: WorkerStart) {
    this.#start = start;
    this.shared = new SharedState(start.sharedMemory);
  }

  /** The next command; waits for it. */
  next(): DataView | undefined {
    const { address, view } = this.#record;
    const count = libc().read(this.#start.controlFd, address, CONTROL.size);
    return count === CONTROL.size ? view : undefined;
  }

  wakeMain(): void {
    libc().write(this.#start.wakeFd, this.#record.address, 1);
  }

  /** Closes every connection that is handed over from now on. */
  refuseAll(): void {
    for (let record = this.next(); record !== undefined; record = this.next()) {
      const what = record.getInt32(CONTROL.what, true);
      if (what === Control.RefreshSize) this.tellSizeTaken();
      if (what === Control.RefreshSize || what === Control.Finish) continue;
      libc().close(record.getInt32(CONTROL.fd, true));
      this.shared.removeConnection(this.#start.thread);
      this.wakeMain();
    }
  }

  /** Main goes by the new size only when every thread does. */
  tellSizeTaken(): void {
    this.shared.addSizeTaken();
    this.wakeMain();
  }
}

interface Surroundings {
  readonly start: WorkerStart;
  readonly control: ControlPipe;
}

function obey(loop: ServeLoop, record: DataView, { start, control }: Surroundings): void {
  const fd = record.getInt32(CONTROL.fd, true);
  switch (record.getInt32(CONTROL.what, true)) {
    case Control.AddKernelSocket:
      return loop.addKernelSocket(fd);
    case Control.AddClient:
      return loop.addClient(fd);
    case Control.AddFuse:
      return loop.addFuse(fd, start);
    case Control.RefreshSize:
      return refreshSize(loop, start, control);
    case Control.Finish:
      return loop.finishChannels();
  }
}

function refreshSize(loop: ServeLoop, start: WorkerStart, control: ControlPipe): void {
  try {
    loop.refreshSize();
  } catch (error) {
    // The image has changed once more since main has looked at it: this thread keeps its size.
    new Log(start.imagePath).error(reasonOf(error));
  } finally {
    control.tellSizeTaken();
  }
}

const scope = globalThis as unknown as { onmessage: (event: MessageEvent<WorkerStart>) => void };
scope.onmessage = (event) => serve(event.data);
