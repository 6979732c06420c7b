/**
 * Asking a daemon for something, over its control socket.
 *
 * @module
 */
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
  writeText(connection.number, encodeMessage(request));
  if (!isReadable(connection.number, patienceMs)) {
    throw new Error(`its daemon (pid ${pid}) does not answer`);
  }
  const text = readText(connection.number);
  if (text === "") throw new Error(`its daemon (pid ${pid}) has ended`);
  const answer = decodeAnswer(text);
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}
