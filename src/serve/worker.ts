/**
 * Entry of a worker thread: serves the connections the main thread hands over.
 *
 * @module
 */
import { Log } from "../daemon/log.ts";
import { openSharedImage } from "../image/open.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ServeLoop } from "./serve_loop.ts";
import { SharedState } from "./shared_state.ts";
import { CONTROL, Control, type WorkerStart } from "./worker_protocol.ts";

function serve(start: WorkerStart): void {
  const wake = new IoBuffer(1);
  const loop = new ServeLoop({
    access: openSharedImage(start.imageFd, start.imagePath, start.image),
    shared: new SharedState(start.sharedMemory),
    log: new Log(start.imagePath),
    thread: start.thread,
    maySpin: start.maySpin,
    onOverload: () => {},
    onConnectionEnd: () => libc().write(start.wakeFd, wake.address, 1),
  });
  const record = new IoBuffer(CONTROL.size);
  loop.addSource({
    fd: start.controlFd,
    onReadable: () => {
      const count = libc().read(start.controlFd, record.address, CONTROL.size);
      if (count === CONTROL.size) obey(loop, record.view, start.imagePath);
    },
  });
  loop.run();
}

function obey(loop: ServeLoop, record: DataView, imagePath: string): void {
  const fd = record.getInt32(CONTROL.fd, true);
  switch (record.getInt32(CONTROL.what, true)) {
    case Control.AddKernelSocket:
      return loop.addKernelSocket(fd);
    case Control.AddClient:
      return loop.addClient(fd);
    case Control.AddFuse:
      return loop.addFuse(fd, imagePath);
    case Control.RefreshSize:
      return loop.refreshSize();
    case Control.Finish:
      return loop.finishChannels();
  }
}

const scope = globalThis as unknown as { onmessage: (event: MessageEvent<WorkerStart>) => void };
scope.onmessage = (event) => serve(event.data);
