// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type AttachState, isStale, StateStore } from "../../src/daemon/state.ts";
import { detachState } from "../../src/device/detach.ts";
import { withSuccessor } from "../../src/device/successor.ts";
import { CommandError } from "../../src/sys/command_error.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { attachState } from "../support/states.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const KILLED = attachState();

/** What comes of the state of a killed daemon while `script` runs, which is told the file, beside a watcher. */
async function after<T>(
  script: string,
  what: (state: AttachState, states: StateStore) => T,
): Promise<T> {
  using folder = new TempDirectory();
  const states = new StateStore(folder.file("states"));
  states.prepare();
  using watcher = states.begin();
  states.write(KILLED, watcher);
  const [state = KILLED] = states.all();
  const args = ["-c", `sleep 0.2; ${script}`, "sh", state.file?.path ?? ""];
  const child = new Deno.Command("sh", { args }).spawn();
  try {
    return what(state, states);
  } finally {
    await child.status;
  }
}

Deno.test("withSuccessor() waits for the daemon that takes the place of a killed one", async () => {
  const start = (await Deno.readTextFile(`/proc/${Deno.pid}/stat`)).split(") ")[1]?.split(" ")[19];
  const line = JSON.stringify({ pid: Deno.pid, startTime: Number(start), revivals: 1 });
  const found = await after(`printf '%s\\n' '${line}' >>"$1"`, withSuccessor);
  assertEquals([found?.pid, found?.revivals], [Deno.pid, 1]);
});

Deno.test("withSuccessor() hears of it that the device has gone meanwhile", async () => {
  assertEquals(await after('rm "$1"', withSuccessor), undefined);
});

Deno.test("detachState() says of a device that has gone without another daemon what that may cost", async () => {
  const detach = (state: AttachState, states: StateStore): void =>
    detachState(state, states, { force: false, verbose: false });
  const error = await assertRejects(() => after('rm "$1"', detach), CommandError);
  assertStringIncludes(error.message, "ended before it had written everything back");
});

Deno.test("withSuccessor() does not wait where nobody holds the state of a killed daemon", () => {
  using folder = new TempDirectory();
  const states = new StateStore(folder.file("states"));
  states.prepare();
  states.begin()[Symbol.dispose]();
  states.write(KILLED);
  const [state = KILLED] = states.all();
  assert(isStale(state));
  assertEquals(withSuccessor(state, states), state);
});
