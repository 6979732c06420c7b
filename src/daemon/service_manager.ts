/**
 * Telling who has started this program, as a service, how it is: sd_notify(3).
 *
 * @module
 */
import { ifPossible } from "../sys/errno.ts";
import { writeText } from "../sys/files.ts";
import { ABSTRACT, datagramTo } from "../sys/sockets.ts";
import { currentEnvironment } from "../sys/spawn.ts";

const VARIABLE = "NOTIFY_SOCKET=";

/** Where the service manager listens, if there is one that does; `@` stands for what begins abstract names. */
function notifySocket(environment: readonly string[]): string | undefined {
  const path = environment.find((entry) => entry.startsWith(VARIABLE))?.slice(VARIABLE.length);
  return path?.replace(/^@/, ABSTRACT);
}

/** What can be told. */
export type Notice = Readonly<
  Partial<Record<"READY" | "STOPPING" | "MAINPID", number> & Record<"STATUS", string>>
>;

/** Tells the service manager, if there is one that wants to know. */
export function notifyManager(notice: Notice, environment = currentEnvironment()): void {
  const path = notifySocket(environment);
  if (path === undefined || !(path.startsWith("/") || path.startsWith(ABSTRACT))) return;
  ifPossible(() => {
    using socket = datagramTo(path);
    if (socket !== undefined) writeText(socket.number, linesOf(notice));
  });
}

function linesOf(notice: Notice): string {
  return Object.entries(notice)
    .map(([name, value]) => `${name}=${String(value).replaceAll("\n", " ")}\n`).join("");
}
