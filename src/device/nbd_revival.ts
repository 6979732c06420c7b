/**
 * Another daemon for an nbd device whose daemon was killed.
 *
 *     killed ── requests wait in the driver ── new sockets ── those that wait are sent, and what the old
 *                                                             sockets had taken once more, when its time is up
 *
 * How that goes, measured on Linux 6.1 and 7.2: a request that finds no living socket waits for one, as long as
 * the device was told to at CONNECT. One that was sent, in whole or in part, and not answered in whole is sent
 * again when the block layer's timer looks after it (queue/io_timeout, and about a second) and its socket was
 * replaced. With several connections that timer takes a server that is merely slow for a dead one, which is why
 * it never fires there: such a device cannot be revived.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { waitUntilUnheard } from "../kernel/nbd_receivers.ts";
import { isLinuxSince } from "../kernel/release.ts";
import { hasHungUp } from "../sys/poll.ts";
import { duplicate, streamPair } from "../sys/sockets.ts";
import type { AttachCommand } from "./attach_command.ts";
import { backendOf } from "./backend.ts";
import type { Reconnection } from "./operations.ts";

/**
 * How long requests wait for another daemon. That is to be told, and given up, long before; but one that reads
 * its image from a server that is down must not lose the device.
 */
export const DEAD_CONNECTION_SECONDS = 600;

/**
 * How soon the driver looks after a request: what is to be sent once more waits for that, and about a second. With
 * less, the kernel's log would have a line for each request of a disk that is merely slow.
 */
export const IO_TIMEOUT_MS = 2000;

/**
 * Version of Linux. The first where a device says whose it is, so that none gets sockets meant for another; much
 * older ones fail what they should send once more.
 */
const REVIVABLE_SINCE = [5, 14] as const;

/** Whether another daemon is to take the place of a killed one, if there is one connection only. */
export function wantsRevival({ revive }: Pick<AttachCommand, "revive">): boolean {
  return revive && isLinuxSince(...REVIVABLE_SINCE);
}

/** A connection for the next daemon, with the device of the one that was killed. */
export function reconnectNbd(state: AttachState): Reconnection {
  const { nbdIndex: index = -1, format, image } = state;
  using made = new DisposableStack();
  const control = made.use(new NbdControl());
  const [kernelEnd, served] = streamPair();
  made.use(kernelEnd);
  // Once it is the daemon's alone, this tells whether the kernel has the other end.
  const probe = made.use(duplicate(served.number));
  const backend = nbdDevice(index)?.backend ?? backendOf(format, image);
  const owned = made.move();
  return {
    served: [served],
    control: duplicate(control.fd),
    nbd: { control, index, backend },
    connect: () => {
      // A socket that is not known to be dead keeps its place.
      waitUntilUnheard(index);
      control.reconfigure(index, { backend, sockets: [kernelEnd.number] });
      kernelEnd.close();
      if (hasHungUp(probe.number)) throw new Error("the kernel holds on to the old connection");
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}
