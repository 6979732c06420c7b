// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeJob, type Job } from "../../src/daemon/job.ts";
import { stateDirectory } from "../../src/daemon/state.ts";
import { HEADER, KEY_SLOT } from "../../src/format/luks/layout.ts";
import { buildVolume, BUILT_PASSPHRASE, USED_SLOT } from "../format/luks/volume_builder.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { eventually, patiently, processorTicks } from "../support/patience.ts";
import { exists, isRunning, processIds, programCommand, statesIn } from "../support/program.ts";
import { DEFAULT_WRITE_POLICY } from "../../src/loop/write_policy.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";

openLibc();

/** Where those who run the tests have their states. */
const STATES = stateDirectory(Deno.env.get("XDG_RUNTIME_DIR"));

/** What a daemon has of its command: of one that was killed, a pipe nobody reads. */
const SURROUNDINGS = 'exec "$@" 3>/dev/full 4</dev/null 5>/dev/full 6</dev/null';

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

/** Runs a daemon whose command has gone. */
async function abandoned(job: Uint8Array<ArrayBuffer>): Promise<Ended> {
  const daemon = ["sh", "-c", SURROUNDINGS, "sh", ...programCommand(), "--internal-daemon"];
  const [program = "", ...args] = patiently(...daemon);
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(job);
  await writer.close();
  const { code, stderr } = await child.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

function socketJob(imagePath: string, socketPath: string): Job {
  return {
    imagePath,
    image: {
      format: "RAW",
      readOnly: true,
      offsetBytes: 0,
      sizeLimitBytes: 0,
      namesFolder: "/",
      noBacking: true,
      allowBacking: [],
      force: false,
    },
    transport: "socket",
    threads: 1,
    startAllThreads: false,
    writePolicy: DEFAULT_WRITE_POLICY,
    cleanIntervalSeconds: 0,
    sectorBytes: 1,
    socket: { path: socketPath, inode: Deno.lstatSync(socketPath).ino ?? 0 },
  };
}

for (const isThere of [true, false]) {
  const what = isThere ? "has opened its image" : "refuses its image";
  Deno.test(`a daemon that ${what} when its command was killed leaves no socket`, async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    if (isThere) Deno.writeFileSync(image, new Uint8Array(65_536));
    const path = folder.file("socket");
    using _listener = Deno.listen({ transport: "unix", path });
    const { stderr } = await abandoned(encodeJob(socketJob(image, path)));
    assertEquals(stderr, "");
    assertEquals(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name),
      isThere ? ["disk"] : [],
    );
    assertEquals(statesIn(STATES).filter(({ device }) => device === path), []);
  });
}

for (const text of ["", "{", "null", "{}", "\0"]) {
  Deno.test(`a daemon without a job says so in one line: ${JSON.stringify(text)}`, async () => {
    const { code, stderr } = await abandoned(new TextEncoder().encode(text));
    assertEquals(code, 1);
    assertMatch(stderr, /^tslosetup: --internal-daemon is for tslosetup itself: .*\n$/);
  });
}

/** The running processes that `pid` has started. */
function childrenOf(pid: number): number[] {
  return processIds().filter((child) => parentOf(child) === pid && isRunning(child));
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
  } catch {
    return undefined;
  }
}

/** A command that waits for its key, with the daemon it has started ahead. */
async function waitingCommand(folder: TempDirectory): Promise<[Deno.ChildProcess, number]> {
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const [program = "", ...first] = programCommand();
  const words = ["-r", "--socket", folder.file("socket"), "--key-file", "-", image];
  const command = new Deno.Command(program, {
    args: [...first, ...words],
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  await eventually(() => childrenOf(command.pid).length === 1, "the daemon runs");
  return [command, childrenOf(command.pid)[0] ?? -1];
}

Deno.test("a daemon that was started ahead ends when its command is killed", async () => {
  using folder = new TempDirectory();
  const [command, daemon] = await waitingCommand(folder);
  command.kill("SIGKILL");
  await command.stdin.close();
  await command.output();
  await eventually(() => !isRunning(daemon), "the daemon ends");
});

/** As many as are not refused: work for minutes. */
const ITERATIONS = 2 ** 27 - 1000;
/** What only a process that derives a key has used, and far less than all of that takes. */
const DERIVING_TICKS = 100;
const FEW_TICKS = 500;

/** A volume that takes so long to unlock. */
function slowVolume(): Uint8Array<ArrayBuffer> {
  const volume = buildVolume();
  const slot = HEADER.sizeBytes + USED_SLOT * KEY_SLOT.sizeBytes;
  new DataView(volume.buffer).setUint32(slot + KEY_SLOT.offsets.iterations, ITERATIONS);
  return volume;
}

/** State files that a process has begun. */
function statesBegunBy(pid: number): string[] {
  if (!exists(STATES)) return [];
  return [...Deno.readDirSync(STATES)].map(({ name }) => name)
    .filter((name) => name.endsWith(`.${pid}.new`));
}

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test(`a daemon that derives a key ends with its command, which gets ${signal}`, async () => {
    using folder = new TempDirectory();
    const [image, key, socket] = [folder.file("volume"), folder.file("key"), folder.file("socket")];
    Deno.writeFileSync(image, slowVolume());
    Deno.writeFileSync(key, BUILT_PASSPHRASE);
    const [program = "", ...first] = programCommand();
    const words = ["-r", "-t", "LUKS", "--key-file", key, "--socket", socket, image];
    const args = [...first, ...words];
    const command = new Deno.Command(program, { args, stderr: "null" }).spawn();
    const derives = (pid: number): boolean => processorTicks(pid) > DERIVING_TICKS;
    await eventually(() => childrenOf(command.pid).some(derives), "the key to be derived");
    const [daemon = -1] = childrenOf(command.pid);
    assert(exists(socket));
    command.kill(signal);
    const before = processorTicks(daemon);
    await command.status;
    await eventually(() => {
      const hasEnded = !isRunning(daemon);
      assert(hasEnded || processorTicks(daemon) - before < FEW_TICKS, "it goes on deriving");
      return hasEnded;
    }, "the daemon to end");
    assertEquals(exists(socket), false);
    assertEquals(statesBegunBy(command.pid), []);
  });
}

Deno.test("a command whose waiting daemon was killed says so, and leaves nothing", async () => {
  using folder = new TempDirectory();
  const [command, daemon] = await waitingCommand(folder);
  Deno.kill(daemon, "SIGKILL");
  await command.stdin.close();
  const { code, stderr } = await command.output();
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr),
    /^tslosetup: .*: failed to set up socket: the daemon did not start: exit code 137\n$/,
  );
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["disk"]);
});

oracleTest("a command that fails before its daemon has a job ends it", ["strace"], async () => {
  using folder = new TempDirectory();
  const missing = folder.file("missing");
  const [program = "", ...first] = programCommand();
  const { code } = await new Deno.Command("strace", {
    args: ["-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,kill", "-o", folder.file("trace")]
      .concat(program, first, "-r", "--socket", folder.file("socket"), missing),
    stderr: "null",
  }).output();
  assertEquals(code, 1);
  const calls = Deno.readTextFileSync(folder.file("trace"));
  const [, daemon] = /^(\d+) .*execve\(.*"--internal-daemon"/m.exec(calls) ?? [];
  assert(daemon !== undefined, calls);
  // Where the daemon is seen to end first, the call is "unfinished".
  assertMatch(calls, new RegExp(`kill\\(${daemon}, SIGKILL[ )]`));
  assertMatch(calls, new RegExp(`^${daemon} +\\+\\+\\+ killed by SIGKILL`, "m"));
});

oracleTest("a command whose children are not to be waited for says what is wrong", [
  "env",
], async () => {
  using folder = new TempDirectory();
  const missing = folder.file("missing");
  const command = [...programCommand(), "-r", "--socket", folder.file("socket"), missing];
  const { code, stderr } = await new Deno.Command("env", {
    args: ["--ignore-signal=CHLD", ...command],
  }).output();
  assertEquals(code, 1);
  assertEquals(
    new TextDecoder().decode(stderr),
    `tslosetup: ${missing}: failed to set up socket: No such file or directory\n`,
  );
});

/** Tells a command to end, which may just have done so by itself. */
function terminate(command: Deno.ChildProcess): void {
  try {
    command.kill("SIGTERM");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

Deno.test("a command that is told to end while it attaches leaves no socket, or all of it", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const socket = folder.file("socket");
  const [program = "", ...first] = programCommand();
  for (let round = 0; round < 8; round++) {
    const args = [...first, "-r", "--socket", socket, "--show", image];
    const command = new Deno.Command(program, { args, stdout: "piped", stderr: "null" }).spawn();
    await eventually(() => exists(socket), "the socket is there");
    terminate(command);
    const { success, stdout } = await command.output();
    assertEquals(success, stdout.length > 0);
    if (success) await new Deno.Command(program, { args: [...first, "-d", socket] }).output();
    await eventually(() => !exists(socket), "the socket is gone");
  }
});
