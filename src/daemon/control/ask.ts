/**
 * Asking a daemon for something, over its control socket.
 *
 * @module
 */
import { ECONNRESET, EPIPE, SystemError } from "../../sys/errno.ts";
import { readText, writeText } from "../../sys/files.ts";
import { isReadable } from "../../sys/poll.ts";
import { folderOf } from "../../sys/paths.ts";
import type { AttachState } from "../state.ts";
import { connectToDaemon } from "./control_socket.ts";
import { type ControlRequest, decodeAnswer, type Done, encodeMessage } from "./messages.ts";

/**
 * Has a daemon do something, and waits until it has.
 *
 * @param patienceMs how long that may take
 * @throws {Error} with the daemon's reason if it has not done it, or why it could not be asked
 */
export function askDaemon(
  { file, pid }: AttachState,
  request: ControlRequest,
  patienceMs: number,
): Done {
  using connection = file && connectToDaemon(folderOf(file.path), file.inode);
  if (connection === undefined) {
    throw new Error(
      `its daemon (pid ${pid}) takes no commands: it is of an earlier version, or ` +
        "the path of the state folder is too long",
    );
  }
  const text = answerTo(request, connection.number, patienceMs);
  if (text === undefined) throw new Error(`its daemon (pid ${pid}) does not answer`);
  if (text === "") throw new Error(`its daemon (pid ${pid}) has ended`);
  const answer = decodeAnswer(text);
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}

/** Empty if the daemon ends without an answer, be it before it has read the request; undefined if it gives none. */
function answerTo(
  request: ControlRequest,
  connection: number,
  patienceMs: number,
): string | undefined {
  try {
    writeText(connection, encodeMessage(request));
    return isReadable(connection, patienceMs) ? readText(connection) : undefined;
  } catch (error) {
    if (error instanceof SystemError && [EPIPE, ECONNRESET].includes(error.errno)) return "";
    throw error;
  }
}
