/**
 * Starting this very program again.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { readLink } from "../sys/paths.ts";
import { daemonSignals, SIGXFSZ } from "../sys/signals.ts";
import { currentEnvironment, spawn } from "../sys/spawn.ts";

/** Starts it in a session of its own, with `fds` as its only descriptors; returns its process id. */
export function spawnSelf(args: readonly string[], fds: readonly number[]): number {
  const { program, prefix } = ownCommand();
  return spawn(program, {
    argv: [processName(), ...prefix, ...args],
    environment: passedEnvironment(),
    fds,
    newSession: true,
    // Blocked, the last one leaves an error of the write that passes the user's limit (EFBIG).
    blockedSignals: [...daemonSignals(), SIGXFSZ],
  });
}

/**
 * What processes that stay are called. Those of root whose name begins with @ are spared when systemd
 * ends all others, at the end of an initramfs and of the system, and not waited for
 * (https://systemd.io/ROOT_STORAGE_DAEMONS).
 */
export function processName(): string {
  return libc().geteuid() === 0 ? "@tslosetup" : "tslosetup";
}

/**
 * Variables that processes which stay are given. All others are none of their business: the runtime
 * obeys some (SSLKEYLOGFILE has it write a file), and what is secret in them would stay readable.
 */
const PASSED =
  /^(HOME|PATH|XDG_[A-Z_]+|LD_[A-Z_]+|GLIBC_TUNABLES|DENO_[A-Z0-9_]+|TSLOSETUP_[A-Z_]+)=/;

/** What of this program's environment such processes are given. */
export function passedEnvironment(): string[] {
  return currentEnvironment().filter((entry) => PASSED.test(entry));
}

/** How to run this program: the compiled binary itself, or Deno with the main module. */
export function ownCommand(): { program: string; prefix: readonly string[] } {
  const program = ownExecutable();
  if (Deno.build.standalone) return { program, prefix: [] };
  const sources = filePath("../");
  const config = `--config=${filePath("../../deno.json")}`;
  // Deno reads a worker's module as the program would, where it is not part of a binary.
  const permissions = [
    "--allow-ffi",
    "--allow-env=XDG_RUNTIME_DIR,TMPDIR,TSLOSETUP_DEBUG",
    `--allow-read=${sources}`,
  ];
  const flags = ["--quiet", "--no-prompt", ...permissions, config];
  return { program, prefix: ["run", ...flags, `${sources}main.ts`] };
}

function filePath(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

/**
 * The file this program was started from, or what an upgrade has put in its place: a removed file
 * cannot be started once more, not even by way of /proc.
 */
export function ownExecutable(): string {
  return readLink("/proc/self/exe").replace(/ \(deleted\)$/, "");
}
