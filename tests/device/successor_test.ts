// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { type AttachState, isStale, StateStore } from "../../src/daemon/state.ts";
import { withSuccessor } from "../../src/device/successor.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { attachState } from "../support/states.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const KILLED = attachState();

/** What becomes of the state of a killed daemon while `script` runs, which is told the file, beside a watcher. */
async function after(script: string): Promise<AttachState | undefined> {
  using folder = new TempDirectory();
  const states = new StateStore(folder.file("states"));
  states.prepare();
  using watcher = states.begin();
  states.write(KILLED, watcher);
  const [state = KILLED] = states.all();
  const file = state.file?.path ?? "";
  const child = new Deno.Command("sh", { args: ["-c", `sleep 0.2; ${script}`, "sh", file] })
    .spawn();
  const found = withSuccessor(state, states);
  await child.status;
  return found;
}

Deno.test("withSuccessor() waits for the daemon that takes the place of a killed one", async () => {
  const start = (await Deno.readTextFile(`/proc/${Deno.pid}/stat`)).split(") ")[1]?.split(" ")[19];
  const line = JSON.stringify({ pid: Deno.pid, startTime: Number(start), revivals: 1 });
  const found = await after(`printf '%s\\n' '${line}' >>"$1"`);
  assertEquals([found?.pid, found?.revivals], [Deno.pid, 1]);
});

Deno.test("withSuccessor() hears of it that the device has gone meanwhile", async () => {
  assertEquals(await after('rm "$1"'), undefined);
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
