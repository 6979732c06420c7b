// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot, exists, programCommand, statesIn } from "../support/program.ts";
import { type Output, rootTest, run, TempDirectory } from "../support/tools.ts";

const FULL = "tslosetup: write error: No space left on device\n";
/** Above any process id (linux/threads.h). */
const NO_PID = 2 ** 22;

for (const word of ["--help", "--version", "--json"]) {
  Deno.test(`tslosetup ${word} says that its output could not be written`, async () => {
    const { code, stderr } = await intoFull([...asRoot().command, word]);
    assertEquals([code, stderr], [1, FULL]);
  });
}

Deno.test("an export whose name cannot be told is not left", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  const socket = folder.file("socket");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const program = asRoot();
  const words = ["--socket", socket, "--show", image];
  const { code, stderr } = await intoFull([...program.command, ...words]);
  assertEquals([code, stderr], [1, FULL]);
  assertEquals(exists(socket), false);
  assertEquals(statesIn(program.stateDirectory).filter(({ device }) => device === socket), []);
});

rootTest("what cannot be cleared away does not keep -l from listing", ["unshare"], async () => {
  using folder = new TempDirectory();
  const stale = { version: 1, pid: NO_PID, startTime: 1, transport: "socket", socketInode: 1 };
  const state = { ...stale, device: folder.file("socket"), image: "/disk" };
  Deno.writeTextFileSync(folder.file(`socket-${NO_PID}.json`), JSON.stringify(state));
  Deno.writeTextFileSync(folder.file(`socket-1.json.${NO_PID}.new`), "{");
  const { code, stdout, stderr } = await readOnlyStates(folder.path, "-l", "--output", "NAME");
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^(NAME\n[^]*)?$/);
});

/** Runs a program whose output goes where there is no room. */
function intoFull(command: readonly string[]): Promise<Output> {
  return run("sh", "-c", 'exec "$@" >/dev/full', "sh", ...command);
}

/** Runs the program where the folder of its states is this one, and cannot be written to. */
function readOnlyStates(folder: string, ...args: string[]): Promise<Output> {
  const states = "/run/tslosetup";
  const mounts = `mkdir -p -m 700 ${states} && mount --bind "$0" ${states} && ` +
    `mount -o remount,ro,bind ${states}`;
  const command = [...programCommand(), ...args];
  return run("unshare", "--mount", "sh", "-c", `${mounts} && exec "$@"`, folder, ...command);
}
