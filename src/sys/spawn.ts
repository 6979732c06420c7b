/**
 * Starting other programs with exactly the descriptors they are meant to have.
 *
 * @module
 */
import { checked, SystemError } from "./errno.ts";
import { listDirectory } from "./directories.ts";
import { Fd, readTextFile } from "./files.ts";
import { libc } from "./libc.ts";
import { addressOf, cString } from "./memory.ts";
import { expectChildren, INTERRUPTIONS, signalSet } from "./signals.ts";

// spawn.h
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** Room for the opaque posix_spawnattr_t (336 bytes) and posix_spawn_file_actions_t (80 bytes). */
const OPAQUE_BYTES = 512;

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const SIGPIPE = 13;

export interface SpawnOptions {
  /** argv, the program's own name first. */
  readonly argv: readonly string[];
  /** Descriptors of the child: entry n becomes its descriptor n. All others are closed. */
  readonly fds: readonly number[];
  /** Its environment, `NAME=value`; left out, it is this program's. */
  readonly environment?: readonly string[];
  /** Signals the child begins with as blocked. */
  readonly blockedSignals?: readonly number[];
  /** Whether the child leaves this session and its terminal. */
  readonly newSession?: boolean;
}

/**
 * Starts `program` and returns its process id.
 *
 * @throws {SystemError} as posix_spawn(3), ENOENT if there is no such program
 */
export function spawn(program: string, options: SpawnOptions): number {
  const pid = new Int32Array(1);
  const actions = new Uint8Array(OPAQUE_BYTES);
  const attributes = new Uint8Array(OPAQUE_BYTES);
  const argv = stringVector(options.argv);
  const environment = stringVector(options.environment ?? currentEnvironment());
  closeOthersOnExec();
  expectChildren();
  // Out of the way of the numbers they are to get.
  const sources = options.fds.map((fd) => new Fd(duplicateAbove(fd, options.fds.length + 16)));
  libc().posix_spawn_file_actions_init(actions);
  libc().posix_spawnattr_init(attributes);
  try {
    sources.forEach((source, target) =>
      libc().posix_spawn_file_actions_adddup2(actions, source.number, target)
    );
    setAttributes(attributes, options);
    const failure = libc().posix_spawn(
      new Uint8Array(pid.buffer),
      cString(program),
      actions,
      attributes,
      argv.vector,
      addressOf(environment.vector),
    );
    if (failure !== 0) throw new SystemError("posix_spawn", failure, program);
    return pid[0] ?? -1;
  } finally {
    libc().posix_spawn_file_actions_destroy(actions);
    libc().posix_spawnattr_destroy(attributes);
    for (const source of sources) source.close();
  }
}

/** What this program inherited itself (a script's lock file, say) is not passed on. */
function closeOthersOnExec(): void {
  for (const name of listDirectory("/proc/self/fd")) {
    const fd = Number(name);
    if (fd > 2) libc().fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

function setAttributes(attributes: Uint8Array<ArrayBuffer>, options: SpawnOptions): void {
  const session = options.newSession === true ? POSIX_SPAWN_SETSID : 0;
  const flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session;
  libc().posix_spawnattr_setflags(attributes, flags);
  libc().posix_spawnattr_setsigmask(attributes, signalSet(options.blockedSignals ?? []));
  // Deno ignores SIGPIPE, and this program interruptions at times; others expect the defaults.
  libc().posix_spawnattr_setsigdefault(attributes, signalSet([SIGPIPE, ...INTERRUPTIONS]));
}

function duplicateAbove(fd: number, lowest: number): number {
  return checked(libc().fcntl(fd, F_DUPFD_CLOEXEC, lowest), "fcntl");
}

interface StringVector {
  readonly vector: Uint8Array<ArrayBuffer>;
  /** Referenced here so that the addresses in the vector stay valid. */
  readonly strings: readonly Uint8Array<ArrayBuffer>[];
}

/** A NULL-terminated `char *[]`. */
function stringVector(texts: readonly string[]): StringVector {
  const strings = texts.map(cString);
  const pointers = new BigUint64Array(strings.length + 1);
  strings.forEach((string, index) => pointers[index] = BigInt(addressOf(string)));
  return { vector: new Uint8Array(pointers.buffer), strings };
}

/** The environment of this program, `NAME=value`. */
export function currentEnvironment(): string[] {
  return readTextFile("/proc/self/environ").split("\0").filter((entry) => entry !== "");
}

/**
 * Waits for a child to end.
 *
 * @returns its exit code, or 128 + the signal that ended it
 */
export function waitFor(pid: number): number {
  const status = new Int32Array(1);
  checked(libc().waitpid(pid, new Uint8Array(status.buffer), 0), "waitpid");
  const value = status[0] ?? 0;
  const signal = value & 0x7f;
  return signal === 0 ? (value >> 8) & 0xff : 128 + signal;
}

/**
 * Runs a program silently to its end.
 *
 * @returns its exit code, or -1 if it could not be started
 */
export function runProgram(program: string, args: readonly string[]): number {
  try {
    using nothing = openNull();
    const fd = nothing.number;
    return waitFor(spawn(program, { argv: [program, ...args], fds: [fd, fd, fd] }));
  } catch (error) {
    if (error instanceof SystemError) return -1;
    throw error;
  }
}

/** /dev/null for reading and writing. */
export function openNull(): Fd {
  return new Fd(checked(libc().open(cString("/dev/null"), 0o2000002, 0), "open", "/dev/null"));
}
