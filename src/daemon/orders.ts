/**
 * What a daemon is told while it serves: by signals, and on a socket.
 *
 * @module
 */
import { wantedBytes } from "../disk/new_size.ts";
import type { Server } from "../serve/server.ts";
import type { Fd } from "../sys/files.ts";
import { daemonSignals, SIGHUP, SIGINT, SignalReader, SIGTERM } from "../sys/signals.ts";
import { ControlServer } from "./control/control_server.ts";
import type { ControlAnswer, ControlRequest } from "./control/messages.ts";
import type { NotedOrders } from "./control/noted_orders.ts";
import type { Job } from "./job.ts";
import type { LazyDetach } from "./lazy_detach.ts";
import { attempt, type Means } from "./means.ts";
import type { OwnState } from "./own_state.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * SIGTERM is a lazy detach, for at shutdown it comes before the file system is unmounted. SIGINT
 * ends a socket at once; a device has to be disconnected instead. SIGHUP: look at the image's size.
 */
export function watchSignals(
  server: Server,
  job: Job,
  { surroundings, own, lazyDetach }: Means & { lazyDetach: LazyDetach },
): void {
  const signals = new SignalReader(daemonSignals().filter((signal) => signal <= SIGTERM));
  const obey = job.transport === "socket"
    ? (signal: number): void => {
      if (signal === SIGINT) server.finish();
      if (signal === SIGTERM) endSocket(server, surroundings);
    }
    : (signal: number): void => {
      const state = signal === SIGTERM ? own.read() : undefined;
      if (state !== undefined) lazyDetach.start(state);
    };
  server.watch(signals.fd, () => {
    for (let signal = signals.next(); signal !== 0; signal = signals.next()) {
      attempt(job, () => signal === SIGHUP ? refreshSize(server, own) : obey(signal));
    }
  });
}

/** What those need who take commands. */
export interface CommandMeans {
  readonly own: OwnState;
  readonly noted: NotedOrders;
}

/** What signals cannot say is asked for on a socket. */
export function takeCommands(listener: Fd, server: Server, { own, noted }: CommandMeans): void {
  new ControlServer(listener, server, (request, send) => {
    const answer = (said: ControlAnswer): void => {
      send(said);
      noted.end(request.id);
    };
    try {
      obey(server, request, { own, noted, answer });
    } catch (error) {
      noted.end(request.id);
      throw error;
    }
  });
}

interface Obeying extends CommandMeans {
  readonly answer: (answer: ControlAnswer) => void;
}

/** What an earlier daemon has done, and could not say any more, is only made durable. */
function obey(server: Server, request: ControlRequest, { own, noted, answer }: Obeying): void {
  if (request.kind === "snapshot") {
    const isDone = noted.begin(request.id, server.snapshots);
    if (isDone) server.flush();
    else server.changeSnapshots(request.change);
    return answer({ ok: true, sizeBytes: server.description.sizeBytes });
  }
  const hasGrown = (): void => {
    const { sizeBytes } = server.description;
    own.change({ sizeBytes });
    answer({ ok: true, sizeBytes });
  };
  if (noted.begin(request.id, server.diskBytes)) {
    server.flush();
    return server.refreshSize(hasGrown);
  }
  server.grow((hasBytes) => wantedBytes(request, hasBytes), hasGrown);
}

/** The state file tells the command that asked for it which size was found. */
function refreshSize(server: Server, own: OwnState): void {
  const report = (): void => {
    const { sizeBytes } = server.description;
    own.change({ sizeBytes, sizeChecks: (own.read()?.sizeChecks ?? 0) + 1 });
  };
  try {
    server.refreshSize(report);
  } catch (error) {
    report();
    throw error;
  }
}

function endSocket(server: Server, surroundings: Surroundings): void {
  surroundings.removeSocket();
  server.stopListening();
}
