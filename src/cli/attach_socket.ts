/**
 * Exporting an image over a listening Unix socket: no privilege, no kernel driver.
 *
 * @module
 */
import { launchDaemon } from "../daemon/launch.ts";
import { EADDRINUSE, SystemError } from "../sys/errno.ts";
import { fileStatusIfAny, linkStatus, removeFile } from "../sys/files.ts";
import { type Fd } from "../sys/files.ts";
import { isListening, listenUnix } from "../sys/sockets.ts";
import {
  type Attached,
  type AttachRequest,
  jobFor,
  readyAnswer,
  recordState,
  stateFor,
} from "./attach_common.ts";
import { absolutePath } from "./device_names.ts";

/** Most threads that serve clients; each costs some 20 MB once it is needed. */
const MAX_THREADS = 4;

/** @throws {Error} if it fails; the socket is gone then */
export function attachSocket(request: AttachRequest): Attached {
  const path = absolutePath(request.command.socketPath ?? "");
  const listener = listenAt(path);
  try {
    return serve(request, path, listener);
  } catch (error) {
    removeFile(path);
    throw error;
  }
}

function serve(request: AttachRequest, path: string, listener: Fd): Attached {
  const job = jobFor(request, {
    transport: "socket",
    sockets: 1,
    threads: Math.min(MAX_THREADS, navigator.hardwareConcurrency),
    socketPath: path,
  });
  const launched = launchDaemon(job, [listener]);
  try {
    const ready = readyAnswer(launched, request);
    const { sizeBytes } = ready;
    const device = { device: path, transport: "socket", sizeBytes } as const;
    recordState(request.states, stateFor(request, launched, ready, device));
    launched.confirm();
  } catch (error) {
    launched.abandon();
    throw error;
  }
  return { shown: socketUri(path) };
}

/** Listens at `path`, clearing away what a killed server has left there. */
function listenAt(path: string): Fd {
  if (fileStatusIfAny(path) === undefined) return listenUnix(path);
  if (linkStatus(path).kind !== "socket" || isListening(path)) {
    throw new SystemError("bind", EADDRINUSE, path);
  }
  removeFile(path);
  return listenUnix(path);
}

/** The URI that NBD clients take (NetworkBlockDevice/nbd, doc/uri.md). */
export function socketUri(path: string): string {
  return `nbd+unix:///?socket=${encodeURIComponent(path).replaceAll("%2F", "/")}`;
}
