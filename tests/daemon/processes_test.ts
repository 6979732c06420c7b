// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { identityOf, isRunning, signalProcess, waitUntilGone } from "../../src/daemon/processes.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { openNull, spawn, waitFor } from "../../src/sys/spawn.ts";
import { eventually } from "../support/patience.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const SIGKILL = 9;

function sleeper(program = "/bin/sleep"): number {
  using nothing = openNull();
  const fd = nothing.number;
  return spawn(program, { argv: ["sleep", "60"], fds: [fd, fd, fd] });
}

Deno.test("identityOf() tells when a process was started", () => {
  const before = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
  const pid = sleeper();
  const identity = identityOf(pid);
  const ticksPerSecond = 100;
  const startedAt = (identity?.startTime ?? 0) / ticksPerSecond;
  assert(Math.abs(startedAt - before) < 2, `${startedAt} ${before}`);
  assertEquals(identityOf(pid), identity);
  Deno.kill(pid, "SIGKILL");
  waitFor(pid);
});

Deno.test("identityOf() is not misled by the name of a program", () => {
  using folder = new TempDirectory();
  const program = folder.file("a) Z 1 (b");
  Deno.copyFileSync("/bin/sleep", program);
  const pid = sleeper(program);
  const own = identityOf(Deno.pid)?.startTime ?? Infinity;
  assert((identityOf(pid)?.startTime ?? 0) >= own);
  Deno.kill(pid, "SIGKILL");
  waitFor(pid);
});

Deno.test("identityOf() knows neither zombies nor what never was", () => {
  const pid = sleeper();
  const identity = identityOf(pid);
  assert(identity !== undefined);
  Deno.kill(pid, "SIGKILL");
  // Dead and not waited for: a zombie.
  assert(waitUntilGone(identity, 5000));
  assertEquals(identityOf(pid), undefined);
  waitFor(pid);
  assertEquals(identityOf(2 ** 22 + 1), undefined);
  assertEquals(identityOf(0), undefined);
});

Deno.test("isRunning() and signalProcess() spare a process that only has the same number", () => {
  const pid = sleeper();
  const identity = identityOf(pid) ?? { pid, startTime: 0 };
  const former = { pid, startTime: identity.startTime - 1 };
  assertEquals([isRunning(identity), isRunning(former)], [true, false]);
  signalProcess(former, SIGKILL);
  assertFalse(waitUntilGone(identity, 50));
  assert(waitUntilGone(former, 0));
  signalProcess(identity, SIGKILL);
  assertEquals(waitFor(pid), 128 + SIGKILL);
  signalProcess(identity, SIGKILL);
});

/** Ends the first thread of a process, and no other: exit(2), not exit_group(2). */
const END_FIRST_THREAD = `
  const number = Deno.build.arch === "aarch64" ? 93 : 60;
  const syscall = { parameters: ["i64", "i64"], result: "i64" };
  Deno.dlopen("libc.so.6", { syscall }).symbols.syscall(number, 0);
`;

Deno.test("waitUntilGone() waits for the last thread, which holds the files until then", async () => {
  const args = ["run", "--quiet", "--allow-all", `data:text/javascript,${END_FIRST_THREAD}`];
  const process = new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn();
  const identity = identityOf(process.pid);
  assert(identity !== undefined);
  await eventually(() => !isRunning(identity), "the first thread to end");
  assertFalse(waitUntilGone(identity, 50));
  process.kill("SIGKILL");
  assert(waitUntilGone(identity, 5000));
  await process.status;
});
