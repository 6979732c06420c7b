/**
 * What programs log by syslog(3).
 *
 * @module
 */
import { datagramTo } from "../../src/sys/sockets.ts";
import { DatagramListener } from "./datagram_listener.ts";
import type { Program } from "./packages.ts";
import { exists } from "./program.ts";
import { lackOfRights, missingTools, testIfPossible } from "./tools.ts";

const LOG_SOCKET = "/dev/log";

/** Registers a test of what is logged; skipped where a log service is in the way. */
export function logTest(
  name: string,
  tools: readonly Program[],
  body: (log: LogSocket) => void | Promise<void>,
): void {
  const obstacle = obstacleToListening() ?? missingTools(tools);
  const fn = async (): Promise<void> => {
    using log = new LogSocket();
    await body(log);
  };
  testIfPossible({ name, obstacle, fn });
}

/** Why nobody can listen, if so. What a test that was killed has left is none: nobody listens there. */
export function obstacleToListening(): string | undefined {
  const isLeft = exists(LOG_SOCKET) && Deno.lstatSync(LOG_SOCKET).isSocket && !isListenedTo();
  if (exists(LOG_SOCKET) && !isLeft) return "a log service runs";
  const lack = lackOfRights();
  if (lack === undefined && isLeft) Deno.removeSync(LOG_SOCKET);
  return lack;
}

function isListenedTo(): boolean {
  using service = datagramTo(LOG_SOCKET);
  return service !== undefined;
}

/** Listens where a log service would, on a machine without one. */
export class LogSocket implements Disposable {
  readonly #listener = new DatagramListener(LOG_SOCKET);

  /** The lines that have come since the last call. */
  lines(): string[] {
    return this.#listener.received();
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
    Deno.removeSync(LOG_SOCKET);
  }
}
