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
import { Channels } from "./channels.ts";
import { SharedState } from "../loop/shared_state.ts";
import { CONTROL, Control, type WorkerStart } from "./worker_protocol.ts";

function serve(start: WorkerStart): void {
  const control = new ControlPipe(start);
  let channels: Channels | undefined;
  try {
    openHotCalls();
    channels = createChannels(start, control);
    forgetStartupPages();
    channels.loop.run();
  } catch (error) {
    new Log(start.imagePath).error(`thread ${start.thread} has failed: ${reasonOf(error)}`);
    // Whoever waits for an answer from this thread had better see the end of the connection.
    channels?.loop.closeChannels();
    control.giveUp();
  }
  // Other threads may have to do with memory of this one.
  channels?.loop[Symbol.dispose]();
}

function createChannels(start: WorkerStart, control: ControlPipe): Channels {
  const channels = new Channels({
    access: openSharedImage(start),
    shared: control.shared,
    log: new Log(start.imagePath),
    thread: start.thread,
    maySpin: start.maySpin,
    writePolicy: start.writePolicy,
    cleanIntervalMs: start.cleanIntervalMs,
    onOverload: () => {},
    onConnectionEnd: () => control.wakeMain(),
  });
  channels.loop.addSource({
    fd: start.controlFd,
    onReadable: () => {
      const record = control.next();
      if (record !== undefined) obey(channels, record, { start, control });
    },
  });
  return channels;
}

/** The pipe by which the main thread commands, and the one by which it is woken. */
class ControlPipe {
  readonly shared: SharedState;
  readonly #start: WorkerStart;
  readonly #record = new IoBuffer(CONTROL.size);

  constructor(start: WorkerStart) {
    this.#start = start;
    this.shared = new SharedState(start.sharedMemory, start.lostAddress);
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

  /** Leaves everything to the main thread, also what is in the pipe. */
  giveUp(): void {
    this.shared.stopSpinning(this.#start.thread);
    this.shared.addFailedThread(this.#start.thread);
    this.wakeMain();
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

function obey(channels: Channels, record: DataView, { start, control }: Surroundings): void {
  const fd = record.getInt32(CONTROL.fd, true);
  switch (record.getInt32(CONTROL.what, true)) {
    case Control.AddKernelSocket:
      return channels.addKernelSocket(fd);
    case Control.AddClient:
      return channels.addClient(fd);
    case Control.AddFuse:
      return addFuse(channels, fd, start);
    case Control.RefreshSize:
      return refreshSize(channels, start, control);
    case Control.Finish:
      return channels.loop.finishChannels();
  }
}

/** If this thread cannot serve it, others do. */
function addFuse(channels: Channels, fd: number, start: WorkerStart): void {
  try {
    channels.addFuse(fd, start);
  } catch (error) {
    channels.loop.dropConnection(fd, reasonOf(error));
  }
}

function refreshSize({ loop }: Channels, start: WorkerStart, control: ControlPipe): void {
  try {
    loop.refreshSize();
  } catch (error) {
    // The image has changed once more since main has looked at it: this thread keeps its size.
    new Log(start.imagePath).error(reasonOf(error));
  } finally {
    control.tellSizeTaken();
  }
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkerStart>) => void;
  close(): void;
};
scope.onmessage = (event) => {
  serve(event.data);
  scope.close();
};
