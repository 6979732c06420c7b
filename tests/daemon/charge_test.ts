// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Charge } from "../../src/daemon/charge.ts";
import { DAEMON_ARGUMENT } from "../../src/daemon/hidden_arguments.ts";
import { KeptMemory, makeKeptMemory } from "../../src/daemon/kept_memory.ts";
import { identityOf } from "../../src/daemon/processes.ts";
import { isRunning } from "../support/program.ts";
import { openLibc } from "../../src/sys/libc.ts";

openLibc();

/** A process that waits, with one further word in its command line. */
function waiting(word: string): Deno.ChildProcess {
  return new Deno.Command("sh", { args: ["-c", "read line", word], stdin: "piped" }).spawn();
}

async function ended(process: Deno.ChildProcess): Promise<void> {
  await process.stdin.close();
  await process.status;
}

Deno.test("Charge.endAttempt() ends a daemon, and nothing else that is noted in its memory", async () => {
  using memory = makeKeptMemory();
  assert(memory);
  const charge = new Charge(new KeptMemory(memory.number));
  charge.endAttempt();
  for (const [word, survives] of [["other", true], [DAEMON_ARGUMENT, false]] as const) {
    const process = waiting(word);
    const identity = identityOf(process.pid);
    charge.noteAttempt(identity ?? { pid: -1, startTime: 0 });
    charge.endAttempt();
    assertEquals(isRunning(process.pid), survives, word);
    await ended(process);
    charge.endAttempt();
  }
});

Deno.test("Charge.isOf() waits for who is to put a watcher in charge, as long as that may", async () => {
  using memory = makeKeptMemory();
  assert(memory);
  const charge = new Charge(new KeptMemory(memory.number));
  const give =
    `printf '\\7' | dd of=/proc/${Deno.pid}/fd/${memory.number} conv=notrunc status=none`;
  for (
    const [token, script, isGiven] of [[7, `sleep 1; ${give}`, true], [
      8,
      "sleep 1",
      false,
    ]] as const
  ) {
    const process = new Deno.Command("sh", { args: ["-c", `${script}; exit`] }).spawn();
    const giver = identityOf(process.pid);
    assert(giver);
    assertEquals(charge.isOf({ token, giver }), isGiven);
    await process.status;
  }
});
