/**
 * Running the program under test: the binary that TSLOSETUP_BINARY names, or else the sources.
 *
 * @module
 */
import { eventually, patiently } from "./patience.ts";
import { lackOfNamespaces, must, TempDirectory } from "./tools.ts";

const BINARY = Deno.env.get("TSLOSETUP_BINARY");
const CHECKOUT = new URL("../..", import.meta.url).pathname;
const DENO_FLAGS = [
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-ffi",
  "--allow-env=XDG_RUNTIME_DIR,TMPDIR,TSLOSETUP_DEBUG",
];
const NOBODY = 65534;
/** Inherited by daemons, so that what a test has started can be told from everything else. */
const MARK = "TSLOSETUP_TEST_MARK";

/** Whether the compiled binary is tested: it starts faster than the sources. */
export const isCompiled = BINARY !== undefined;

/** What one run of the program did. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user who runs the program. */
export interface Surroundings {
  /** What runs the program, without its arguments. */
  readonly command: readonly string[];
  run(...args: string[]): Promise<Finished>;
  /** Runs the program, which has to succeed; returns what it printed. */
  must(...args: string[]): Promise<string>;
  /** Folder of this user's state files. */
  readonly stateDirectory: string;
  /** Processes started here, daemons included, that still run. */
  processes(): number[];
}

class User implements Surroundings {
  readonly #environment: Record<string, string>;
  readonly #mark = crypto.randomUUID();

  constructor(
    readonly command: readonly string[],
    readonly stateDirectory: string,
    environment = {},
  ) {
    this.#environment = { ...environment, [MARK]: this.#mark };
    // A test that fails where nothing should have been started leaves it running.
    globalThis.addEventListener("unload", () => this.#killAll());
  }

  #killAll(): void {
    for (const pid of this.processes()) Deno.kill(pid, "SIGKILL");
  }

  async run(...args: string[]): Promise<Finished> {
    const [program = "", ...first] = this.command;
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...first, ...args],
      env: this.#environment,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`tslosetup ${args.join(" ")} exited ${code}: ${stderr}`);
    return stdout;
  }

  processes(): number[] {
    const entry = `${MARK}=${this.#mark}`;
    return processIds().filter((pid) =>
      (textIfAny(`/proc/${pid}/environ`) ?? "").split("\0").includes(entry) && !isZombie(pid)
    );
  }
}

const ROOT_STATES = "/run/tslosetup";
/** Set where the whole test run has a mount namespace of its own (tests/run/surroundings.sh). */
const hasOwnMounts = Deno.uid() === 0 && Deno.env.get("TSLOSETUP_TEST_MOUNTS") === "own";
let ownStates: string | undefined;

if (hasOwnMounts) bindStatesHere();

/**
 * The program as whoever runs the tests does, with a state folder that is one of this test run: what
 * else is attached on this machine is none of the tests' business, nor the reverse. The superuser's is
 * at a fixed place, and so in a mount namespace. If that is another one than where a loop device was
 * made, and below the root folder of a chroot, the kernel's name of the device's file is not that of
 * the chroot, but of the system around it: so it is one for all where it can be.
 */
export function asRoot(environment: Readonly<Record<string, string>> = {}): Surroundings {
  if (Deno.uid() !== 0) return asUser(environment);
  if (hasOwnMounts) return new User(programCommand(), sharedStates(), environment);
  // A chroot has a /run of its own anyway.
  if (lackOfNamespaces() !== undefined) return new User(programCommand(), ROOT_STATES, environment);
  const enter = ["unshare", "--mount", "sh", "-c", `${bindStates()} && exec "$@"`, "sh"];
  return new User([...enter, ...programCommand()], sharedStates(), environment);
}

function asUser(environment: Readonly<Record<string, string>>): Surroundings {
  const runtime = sharedStates();
  const states = `${runtime}/tslosetup`;
  Deno.mkdirSync(states, { recursive: true, mode: 0o700 });
  return new User(["env", `XDG_RUNTIME_DIR=${runtime}`, ...programCommand()], states, environment);
}

/**
 * The program as the superuser of another namespace runs it, with the state folder of {@link asRoot}.
 *
 * @param enter what runs a command there, where {@link bindStates} has been done
 */
export function asRootElsewhere(enter: readonly string[]): Surroundings {
  return new User([...enter, ...programCommand()], sharedStates());
}

/** The shell's words for having the state folder of this test run in a mount namespace. */
export function bindStates(): string {
  return `mkdir -p -m 700 ${ROOT_STATES} && mount --bind ${sharedStates()} ${ROOT_STATES}`;
}

/** Has the state folder of these tests in their own mount namespace, up to their end. */
function bindStatesHere(): void {
  const shell = (script: string): boolean =>
    new Deno.Command("sh", { args: ["-c", script] }).outputSync().success;
  if (!shell(bindStates())) throw new Error(`${ROOT_STATES} cannot be bound`);
  globalThis.addEventListener("unload", () => shell(`umount --lazy ${ROOT_STATES}`));
}

function sharedStates(): string {
  return ownStates ??= makeOwnStates();
}

/** The program itself, as a command; what the surroundings hold, it finds and leaves there. */
export function programCommand(): string[] {
  return BINARY === undefined ? fromSources(Deno.execPath(), CHECKOUT) : [BINARY];
}

function makeOwnStates(): string {
  const folder = Deno.makeTempDirSync({ prefix: "tslosetup-states-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return folder;
}

function fromSources(deno: string, checkout: string): string[] {
  const flags = [...DENO_FLAGS, `--allow-read=${checkout}/src`, `--config=${checkout}/deno.json`];
  return [deno, ...flags, `${checkout}/src/main.ts`];
}

/** A folder that `nobody` can read and the program as `nobody` runs it, keeping its state there. */
export class Nobody implements Disposable {
  readonly folder = new TempDirectory();
  readonly program: Surroundings;
  /** A folder in which nobody can make files. */
  readonly home = this.folder.file("home");

  constructor() {
    Deno.chmodSync(this.folder.path, 0o755);
    this.#make(this.home);
    const runtime = this.#make(this.folder.file("runtime"));
    const command = [...AS_NOBODY, ...this.#readableProgram()];
    this.program = new User(command, `${runtime}/tslosetup`, {
      XDG_RUNTIME_DIR: runtime,
      DENO_DIR: this.folder.file("deno"),
    });
  }

  /** A file of the home folder, owned by nobody. */
  write(name: string, content: Uint8Array): string {
    const path = `${this.home}/${name}`;
    Deno.writeFileSync(path, content);
    Deno.chownSync(path, NOBODY, NOBODY);
    return path;
  }

  #make(path: string): string {
    Deno.mkdirSync(path, { recursive: true });
    Deno.chownSync(path, NOBODY, NOBODY);
    return path;
  }

  #readableProgram(): string[] {
    if (BINARY !== undefined) {
      const copy = this.folder.file("tslosetup");
      Deno.copyFileSync(BINARY, copy);
      return [copy];
    }
    const sources = this.folder.file("sources");
    copyTree(`${CHECKOUT}/src`, `${sources}/src`);
    for (const name of ["deno.json", "deno.lock"]) {
      Deno.copyFileSync(`${CHECKOUT}/${name}`, `${sources}/${name}`);
    }
    this.#copyPackages();
    return fromSources(executableForNobody(Deno.execPath()), sources);
  }

  /** The npm packages that are in the cache already. */
  #copyPackages(): void {
    const cache = this.#make(this.folder.file("deno"));
    const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
    const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
    copyTree(npmCache, `${cache}/npm`);
    Deno.chownSync(`${cache}/npm`, NOBODY, NOBODY);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
let executableCopy: string | undefined;

/** A program, or a copy of it where nobody cannot get at it, as in the home folder of the superuser. */
function executableForNobody(path: string): string {
  const [program = "", ...args] = [...AS_NOBODY, "test", "-x", path];
  if (new Deno.Command(program, { args }).outputSync().success) return path;
  return executableCopy ??= copiedForAll(path);
}

function copiedForAll(path: string): string {
  const folder = Deno.makeTempDirSync({ prefix: "tslosetup-program-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const copy = `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`;
  Deno.copyFileSync(path, copy);
  for (const name of [folder, copy]) Deno.chmodSync(name, 0o755);
  return copy;
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyTree(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

export interface ExportOptions {
  /** Where the socket and anything else goes. */
  readonly folder: TempDirectory;
  readonly image: string;
  /** Options of the program. */
  readonly options?: readonly string[];
  readonly as?: Surroundings;
  /** Name of the socket. */
  readonly name?: string;
}

/** An image that is attached to a socket until the end of the scope, come what may. */
export class ExportedImage implements AsyncDisposable {
  readonly uri: string;
  /** The daemon. */
  readonly pid: number;

  private constructor(
    readonly program: Surroundings,
    readonly socket: string,
    readonly attached: Finished,
  ) {
    this.uri = attached.stdout.trim();
    const state = statesIn(program.stateDirectory).find(({ device }) => device === socket);
    if (state === undefined) throw new Error(`no state of ${socket}`);
    this.pid = state.pid;
  }

  static async attach(options: ExportOptions): Promise<ExportedImage> {
    const program = options.as ?? asRoot();
    const socket = options.folder.file(options.name ?? "socket");
    const words = ["--socket", socket, "--show", ...options.options ?? [], options.image];
    const finished = await program.run(...words);
    if (finished.code !== 0) throw new Error(`attach failed: ${finished.stderr}`);
    try {
      return new ExportedImage(program, socket, finished);
    } catch (error) {
      for (const pid of program.processes()) Deno.kill(pid, "SIGKILL");
      throw error;
    }
  }

  get isRunning(): boolean {
    return isRunning(this.pid);
  }

  async detach(): Promise<void> {
    await this.program.must("-d", this.socket);
  }

  /** Waits until the daemon has gone. */
  async ended(): Promise<void> {
    await eventually(() => !this.isRunning, "the daemon to end");
  }

  /** Whether neither a process, nor a socket, nor a state file is left. */
  get isGone(): boolean {
    return !this.isRunning && !exists(this.socket) &&
      !statesIn(this.program.stateDirectory).some(({ device }) => device === this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isGone) return;
    await this.program.run("-d", this.socket);
    if (this.isRunning) Deno.kill(this.pid, "SIGKILL");
  }
}

/** As `must`, for what depends on a server: one that hangs fails its test. */
export function mustSoon(...command: [string, ...string[]]): Promise<string> {
  const [program = "", ...args] = patiently(...command);
  return must(program, ...args);
}

/** A state file, as far as tests look into it. */
export interface SeenState {
  readonly device: string;
  readonly image: string;
  readonly pid: number;
  readonly revivals?: number;
}

/** The state files in a folder. */
export function statesIn(folder: string): SeenState[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)]
    .map(({ name }) => textIfAny(`${folder}/${name}`))
    .filter((text) => text !== undefined && text !== "")
    .map((text) => text?.trimEnd().split("\n").map((line) => JSON.parse(line)) ?? [])
    .map((lines) => Object.assign({}, ...lines));
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Which field of /proc/PID/stat, from the state on, says how many threads there are (proc(5)). */
const THREADS_FIELD = 17;

/** Whether a process with this id runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  return exists(`/proc/${pid}`) && !isZombie(pid);
}

/** With all of its threads, of which the last one holds its files. */
function isZombie(pid: number): boolean {
  const stat = textIfAny(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? ["Z"];
  return fields[0] === "Z" && Number(fields[THREADS_FIELD] ?? 0) <= 1;
}

/** All processes there are, zombies included. */
export function processIds(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

function textIfAny(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
