/**
 * Exporting an image over a listening Unix socket: no privilege, no kernel driver.
 *
 * @module
 */
import type { Launched, Launching } from "../daemon/launched.ts";
import type { UnfinishedFile } from "../daemon/state_file.ts";
import { EADDRINUSE, SystemError } from "../sys/errno.ts";
import { type Fd, linkStatus, linkStatusIfAny, removeFile } from "../sys/files.ts";
import { ignoreInterruptions, uninterrupted } from "../sys/signals.ts";
import {
  type BoundSocket,
  boundSocket,
  isListening,
  listenUnix,
  removeSocket,
} from "../sys/sockets.ts";
import {
  type Attached,
  type AttachRequest,
  jobFor,
  patientAnswer,
  readyAnswer,
  stateFor,
  threadCount,
} from "./attach_common.ts";
import { socketUri } from "./socket_uri.ts";
import { absolutePath } from "./device_names.ts";

/** @throws {Error} if it fails; the socket is gone then */
export function attachSocket(request: AttachRequest): Attached {
  const path = absolutePath(request.command.socketPath ?? "");
  using stateFile = request.states.begin();
  // The daemon removes the socket if this command ends early, but not before it knows of it.
  const { socket, launching } = uninterrupted(() => listen(request, path, stateFile));
  try {
    const launched = patientAnswer(launching, request);
    return serve(request, { socket, launched, stateFile });
  } catch (error) {
    removeSocket(socket);
    throw error;
  }
}

interface Listening {
  readonly socket: BoundSocket;
  readonly launching: Launching;
}

function listen(request: AttachRequest, path: string, stateFile: UnfinishedFile): Listening {
  const listener = listenAt(path);
  const socket = boundSocket(path);
  try {
    const threads = threadCount(request.command);
    const job = jobFor(request, { transport: "socket", threads, socket });
    return { socket, launching: request.daemons.launch(job, { served: [listener], stateFile }) };
  } catch (error) {
    removeSocket(socket);
    throw error;
  }
}

interface Served {
  readonly socket: BoundSocket;
  readonly launched: Launched;
  readonly stateFile: UnfinishedFile;
}

function serve(request: AttachRequest, { socket, launched, stateFile }: Served): Attached {
  const { path, inode: socketInode } = socket;
  try {
    const ready = readyAnswer(launched, request);
    const { sizeBytes } = ready;
    const device = { device: path, transport: "socket", sizeBytes, socketInode } as const;
    ignoreInterruptions();
    request.states.write(stateFor(request, { launched, ready }, device), stateFile);
    launched.confirm(path);
  } catch (error) {
    launched.abandon();
    throw error;
  }
  return { shown: socketUri(path), device: path, isNew: true, warnings: [] };
}

/** Listens at `path`, clearing away what a killed server has left there. */
function listenAt(path: string): Fd {
  if (linkStatusIfAny(path) === undefined) return listenUnix(path);
  if (linkStatus(path).kind !== "socket" || isListening(path)) {
    throw new SystemError("bind", EADDRINUSE, path);
  }
  removeFile(path);
  return listenUnix(path);
}
