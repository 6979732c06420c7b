/**
 * What programs log by syslog(3).
 *
 * @module
 */
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

/** Why nobody can listen, if so. */
export function obstacleToListening(): string | undefined {
  if (exists(LOG_SOCKET)) return "a log service runs";
  return lackOfRights();
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
