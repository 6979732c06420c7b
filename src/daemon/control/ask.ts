/**
 * Asking a daemon for something, over its control socket.
 *
 * @module
 */
import { ECONNRESET, EPIPE, ifPossible, SystemError } from "../../sys/errno.ts";
import { type Fd, readText, writeText } from "../../sys/files.ts";
import { isReadable } from "../../sys/poll.ts";
import { folderOf } from "../../sys/paths.ts";
import type { AttachState } from "../state.ts";
import { connectToDaemon } from "./control_socket.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  decodeAnswer,
  type Done,
  encodeMessage,
  newOrderId,
  type Order,
} from "./messages.ts";

/** So many daemons may be killed by what they are to do, or while they do it. */
const MOST_DAEMONS = 3;

/**
 * Has a daemon do something, and waits until it has. If it is killed, the one that takes its place is asked,
 * which does what is not done yet.
 *
 * @param patienceMs how long that may take
 * @throws {Error} with the daemon's reason if it has not done it, or why it could not be asked
 */
export function askDaemon(state: AttachState, order: Order, patienceMs: number): Done {
  const { pid } = state;
  const request = { ...order, id: newOrderId() };
  let connection = connect(state);
  if (connection === undefined) {
    throw new Error(
      `its daemon (pid ${pid}) takes no commands: it is of an earlier version, or ` +
        "the path of the state folder is too long",
    );
  }
  for (let daemons = 1; connection !== undefined; daemons++) {
    using asked: Fd = connection;
    const text = answerTo(request, asked.number, patienceMs);
    if (text === undefined) throw new Error(`its daemon (pid ${pid}) does not answer`);
    if (text !== "") return doneBy(decodeAnswer(text));
    // As long as another daemon may come, somebody listens for it.
    connection = daemons < MOST_DAEMONS ? ifPossible(() => connect(state)) : undefined;
  }
  throw new Error(`its daemon (pid ${pid}) has ended; it may have done that before`);
}

function connect({ file }: AttachState): Fd | undefined {
  return file && connectToDaemon(folderOf(file.path), file.inode);
}

function doneBy(answer: ControlAnswer): Done {
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
