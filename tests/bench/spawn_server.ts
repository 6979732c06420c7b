/**
 * Servers that run as children of the benchmark.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";

/** A running child. */
export interface ServerProcess {
  readonly pid: number;
  /** Settles when the process is gone, with what it had to say. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const READY_WITHIN_MILLIS = 10_000;
const END_WITHIN_MILLIS = 2000;
const POLL_MILLIS = 5;

/** Starts a program that stays in the foreground. */
export function spawnServer(program: string, args: string[]): ServerProcess {
  const command = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  const child = command.spawn();
  const ended = child.output().then(({ code, stderr }) => {
    return `${program} exited ${code}: ${new TextDecoder().decode(stderr).trim()}`;
  });
  const stop = async (): Promise<void> => {
    kill(child, "SIGTERM");
    // qemu-nbd overlooks the signal while a client shakes hands.
    const impatience = setTimeout(() => kill(child, "SIGKILL"), END_WITHIN_MILLIS);
    await ended;
    clearTimeout(impatience);
  };
  return { pid: child.pid, ended, stop };
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}

/**
 * Waits until a server accepts connections at `socket`.
 *
 * @throws {Error} if it ends before that, or takes too long
 */
export async function waitForSocket(socket: string, ended: Promise<string>): Promise<void> {
  const end: { reason?: string } = {};
  ended.then((reason) => end.reason = reason);
  for (const deadline = Date.now() + READY_WITHIN_MILLIS; Date.now() < deadline;) {
    if (await accepts(socket)) return;
    if (end.reason !== undefined) throw new Error(end.reason);
    await delay(POLL_MILLIS);
  }
  throw new Error(`no server at ${socket} after ${READY_WITHIN_MILLIS} ms`);
}

async function accepts(socket: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path: socket })).close();
    return true;
  } catch {
    return false;
  }
}
