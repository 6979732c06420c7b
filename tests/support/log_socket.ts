/**
 * What programs log by syslog(3).
 *
 * @module
 */
import { checked } from "../../src/sys/errno.ts";
import { Fd } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { MSG_DONTWAIT } from "../../src/sys/sockets.ts";
import type { Program } from "./packages.ts";
import { exists } from "./program.ts";
import { lackOfRights, missingTools, testIfPossible } from "./tools.ts";

const LOG_SOCKET = "/dev/log";
const AF_UNIX = 1;
const SOCK_DGRAM = 2;

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

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

function obstacleToListening(): string | undefined {
  if (exists(LOG_SOCKET)) return "a log service runs";
  return lackOfRights();
}

/** Listens where a log service would, on a machine without one. */
export class LogSocket implements Disposable {
  readonly #socket: Fd;

  constructor() {
    const path = new TextEncoder().encode(LOG_SOCKET);
    const address = new Uint8Array(2 + path.length + 1);
    address[0] = AF_UNIX;
    address.set(path, 2);
    this.#socket = new Fd(checked(libc().socket(AF_UNIX, SOCK_DGRAM, 0), "socket"));
    checked(libc().bind(this.#socket.number, address, address.length), "bind", LOG_SOCKET);
  }

  /** The lines that have come since the last call. */
  lines(): string[] {
    const found: string[] = [];
    const buffer = new IoBuffer(64 * 1024);
    for (;;) {
      const { address, size, bytes } = buffer;
      const count = libc().recv(this.#socket.number, address, size, MSG_DONTWAIT);
      if (count < 0) return found;
      found.push(new TextDecoder().decode(bytes.slice(0, count)));
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    Deno.removeSync(LOG_SOCKET);
  }
}
