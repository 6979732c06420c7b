/**
 * Attaching an image to an nbd device, and a loop device to that if one was named.
 *
 *     image ── daemon ══ sockets ══ /dev/nbdN [── /dev/loopN, direct I/O]
 *
 * @module
 */
import type { Ready } from "../daemon/job.ts";
import { makeKeptMemory } from "../daemon/kept_memory.ts";
import { startWatcher } from "../daemon/watcher.ts";
import type { Launched } from "../daemon/launched.ts";
import { waitUntilGone } from "../daemon/processes.ts";
import type { UnfinishedFile } from "../daemon/state_file.ts";
import { attachLoop, detachLoop } from "../kernel/loop.ts";
import { requireLoop, requireNbd } from "../kernel/modules.ts";
import { diskSizeBytes } from "../kernel/block_devices.ts";
import { type NbdConnection, NbdControl } from "../kernel/nbd.ts";
import { nbdName, waitUntilDisconnected, waitUntilUsable } from "../kernel/nbd_devices.ts";
import { areReceiversVisible, waitForReceivers } from "../kernel/nbd_receivers.ts";
import { hidePartitions, showPartitions } from "../kernel/partitions.ts";
import type { Fd } from "../sys/files.ts";
import { ignoreInterruptions, uninterrupted } from "../sys/signals.ts";
import { duplicate, streamPair } from "../sys/sockets.ts";
import {
  ABANDON_MS,
  type Attached,
  type AttachRequest,
  jobFor,
  patientAnswer,
  QUEUE,
  readyAnswer,
  reclaimWarnings,
  stateFor,
  threadCount,
  wholeSectors,
} from "./attach_common.ts";
import { backendOf } from "./backend.ts";
import type { AttachCommand } from "./attach_command.ts";
import { type DeviceName, freeDeviceNamed } from "./device_names.ts";
import { DEAD_CONNECTION_SECONDS, IO_TIMEOUT_MS, wantsRevival } from "./nbd_revival.ts";

/** Several of the largest requests fit into a connection's buffer. (FUSE bounds them itself.) */
const MAX_SECTORS_KB = 1024;

/** @throws {Error} if it fails; nothing is left behind then */
export function attachNbd(request: AttachRequest): Attached {
  const device = freeDeviceNamed(request.command);
  requireNbd();
  if (device?.kind === "loop") requireLoop();
  using control = new NbdControl();
  for (const [tries, connections] of connectionCounts(request.command).entries()) {
    const isRepeated = tries > 0;
    const attached = attachOver(connections, { ...request, isRepeated }, { control, device });
    if (attached !== undefined) return attached;
  }
  throw new Error("the kernel does not listen to the connections of its nbd device");
}

/**
 * How many connections to try, one number after the other: that the kernel listens on several of them
 * is to be seen first. When it has not once, it has made the threads for it in the meantime. An image
 * may have use for fewer. Unless asked for a number of threads, there is one where another daemon shall be
 * able to take the place of this: see nbd_revival.ts.
 */
function connectionCounts(command: AttachCommand): readonly number[] {
  const isOneEnough = command.threads === undefined && wantsRevival(command);
  const wanted = areReceiversVisible() && !isOneEnough ? threadCount(command) : 1;
  return wanted === 1 ? [1] : [wanted, wanted, 1];
}

interface Means {
  readonly control: NbdControl;
  readonly device: DeviceName | undefined;
}

/** @returns undefined if the kernel does not listen on all the connections; nothing is left then */
function attachOver(count: number, request: AttachRequest, means: Means): Attached | undefined {
  const pairs = Array.from({ length: count }, streamPair);
  const kernelEnds = pairs.map(([kernelEnd]) => kernelEnd);
  const threads = threadCount(request.command);
  const job = jobFor(request, { transport: "nbd", threads });
  using stateFile = request.states.begin();
  using kept = wantsRevival(request.command) ? makeKeptMemory() : undefined;
  const launching = request.daemons.launch(job, {
    served: pairs.map(([, end]) => end),
    stateFile,
    control: duplicate(means.control.fd),
    ...(kept === undefined ? {} : { kept }),
  });
  const launched = patientAnswer(launching, request);
  let attached: Attached | undefined;
  try {
    const ready = readyAnswer(launched, request);
    const isRevivable = kept !== undefined && Math.min(count, ready.connections) === 1;
    const setup = { request, launched, ready, stateFile, kernelEnds, isRevivable };
    attached = configure({ ...setup, ...means });
    return attached;
  } finally {
    if (attached === undefined) {
      // Without the kernel's ends of its sockets the daemon has nothing to serve.
      for (const end of kernelEnds) end.close();
      launched.abandon();
      waitUntilGone(launched.process, ABANDON_MS);
    }
  }
}

interface Setup extends Means {
  readonly request: AttachRequest;
  readonly launched: Launched;
  readonly ready: Ready;
  readonly stateFile: UnfinishedFile;
  readonly kernelEnds: readonly Fd[];
  readonly isRevivable: boolean;
}

/** @returns undefined as {@link attachOver} does */
function configure(setup: Setup): Attached | undefined {
  const { request, launched, ready, control, device, kernelEnds } = setup;
  const { sectorBytes } = ready;
  const sizeBytes = wholeSectors(request, ready, sectorBytes);
  const backend = backendOf(ready.format, request.imagePath);
  // Who gave up here would leave a device behind that is connected to nobody.
  const index = uninterrupted(() =>
    connect(control, {
      ...(device?.kind === "nbd" ? { index: device.index } : {}),
      // The others are closed then, and end for the daemon, too.
      sockets: kernelEnds.slice(0, ready.connections).map((end) => end.number),
      sizeBytes,
      blockSizeBytes: sectorBytes,
      serverFlags: ready.flags,
      backend,
    })
  );
  for (const end of kernelEnds) end.close();
  if (index === undefined) return undefined;
  try {
    const path = makeUsable(setup, { index, sizeBytes, sectorBytes, backend });
    const state = stateFor(request, { launched, ready }, {
      device: path,
      transport: "nbd",
      nbdIndex: index,
      sizeBytes,
    });
    ignoreInterruptions();
    // From here on, the device outlives a daemon that is killed: nothing may be asked of that any more.
    using heritage = setup.isRevivable ? launched.heritage() : undefined;
    if (heritage !== undefined) {
      control.reconfigure(index, { backend, deadConnectionSeconds: DEAD_CONNECTION_SECONDS });
    }
    request.states.write(state, setup.stateFile);
    startWatcher(state, { watch: launched.watch, nbd: { control, index, backend }, heritage });
    launched.confirm(path);
    const warnings = reclaimWarnings(launched, ready);
    return { shown: path, device: path, isNew: true, warnings };
  } catch (error) {
    control.disconnect(index);
    throw error;
  }
}

/** @returns the device's number; undefined if the kernel does not listen on all the connections */
function connect(control: NbdControl, connection: NbdConnection): number | undefined {
  const { sockets, sizeBytes, backend } = connection;
  if (sockets.length === 1) return control.connect(connection).index;
  // Until then nobody reads, as udev does at once: it would wait for ever where nobody listens, and what
  // it had begun would fail with lines in the kernel's log when the device is disconnected again.
  const { index } = control.connect({ ...connection, sizeBytes: 0 });
  if (waitForReceivers(index, sockets.length)) {
    control.reconfigure(index, { backend, sizeBytes });
    // Kernels before 5.3 leave it as it is.
    if (diskSizeBytes(nbdName(index)) > 0) return index;
  }
  control.disconnect(index);
  waitUntilDisconnected(index);
  return undefined;
}

interface Connected {
  readonly index: number;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly backend: string;
}

/** Completes a device that is connected, and the loop device on top; returns what to call it. */
function makeUsable(setup: Setup, connected: Connected): string {
  const { request, ready, control, device } = setup;
  const { index, sizeBytes, sectorBytes, backend } = connected;
  const { readOnly } = ready;
  const { partScan } = request.command;
  const queue = {
    ...QUEUE,
    maxSectorsKb: MAX_SECTORS_KB,
    ...(setup.isRevivable ? { ioTimeoutMs: IO_TIMEOUT_MS } : {}),
  };
  const node = waitUntilUsable(index, { sizeBytes, readOnly, queue });
  if (device?.kind !== "loop") {
    if (partScan) showPartitions(node);
    else hidePartitions(node);
    return node;
  }
  // The loop device shows the partitions, if asked to: they must not be there twice.
  hidePartitions(node);
  const path = attachLoop({
    device: device.path,
    backingPath: node,
    readOnly,
    directIo: "preferred",
    partScan,
    sectorSizeBytes: sectorBytes,
    label: request.command.loopReference ?? request.imagePath,
  });
  try {
    if (partScan) showPartitions(path);
    control.disconnectOnLastClose(index, backend);
  } catch (error) {
    detachLoop(path);
    throw error;
  }
  return path;
}
