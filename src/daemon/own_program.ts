/**
 * Starting this very program again.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { readLink } from "../sys/paths.ts";
import { daemonSignals, SIGXFSZ } from "../sys/signals.ts";
import { spawn } from "../sys/spawn.ts";

/** Starts it in a session of its own, with `fds` as its only descriptors; returns its process id. */
export function spawnSelf(args: readonly string[], fds: readonly number[]): number {
  const { program, prefix } = ownCommand();
  // systemd spares storage daemons of the initramfs whose name begins so (ROOT_STORAGE_DAEMONS).
  const name = libc().geteuid() === 0 ? "@tslosetup" : "tslosetup";
  return spawn(program, {
    argv: [name, ...prefix, ...args],
    fds,
    newSession: true,
    // Blocked, the last one leaves an error of the write that passes the user's limit (EFBIG).
    blockedSignals: [...daemonSignals(), SIGXFSZ],
  });
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
    "--allow-env=XDG_RUNTIME_DIR,TSLOSETUP_DEBUG",
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
