// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ENOENT, SystemError } from "../../src/sys/errno.ts";
import { O_RDONLY, openFile, readText } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { daemonSignals } from "../../src/sys/signals.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { openNull, runProgram, spawn, type SpawnOptions, waitFor } from "../../src/sys/spawn.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** What a shell script prints to its descriptor 1; `more` come behind the three standard ones. */
function outputOf(
  script: string,
  options: Partial<SpawnOptions> = {},
  more: readonly number[] = [],
): string {
  const [end, start] = pipe();
  using nothing = openNull();
  const pid = spawn("/bin/sh", {
    argv: ["a shell", "-c", script],
    fds: [nothing.number, start.number, nothing.number, ...more],
    ...options,
  });
  start.close();
  const text = readText(end.number);
  end.close();
  assertEquals(waitFor(pid), 0);
  return text;
}

Deno.test("spawn() hands over exactly the descriptors it is told", () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "content");
  using file = openFile(folder.file("file"), O_RDONLY);
  using _other = openFile(folder.file("file"), O_RDONLY);
  const text = outputOf("read line <&3; echo $line; ls /proc/$$/fd", {}, [file.number]);
  assertEquals(text, "content\n0\n1\n2\n3\n");
});

Deno.test("spawn() closes descriptors that were inherited without close-on-exec", () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "");
  using inherited = openFile(folder.file("file"), O_RDONLY);
  const F_SETFD = 2;
  libc().fcntl(inherited.number, F_SETFD, 0);
  assertEquals(outputOf("ls /proc/$$/fd"), "0\n1\n2\n");
});

Deno.test("spawn() can hand over descriptors in any order", () => {
  const [end, start] = pipe();
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "content");
  using file = openFile(folder.file("file"), O_RDONLY);
  // The child's 0 is our file, and its 3 our start of the pipe, whatever numbers they have here.
  const pid = spawn("/bin/sh", {
    argv: ["sh", "-c", "cat >&3"],
    fds: [file.number, file.number, file.number, start.number],
  });
  start.close();
  assertEquals(readText(end.number), "content");
  assertEquals(waitFor(pid), 0);
  end.close();
});

/** The lines about signals in a child's status. Not a shell's: it changes its mask as it works. */
function signalsOf(options: Partial<SpawnOptions>): Map<string, bigint> {
  const [end, start] = pipe();
  using nothing = openNull();
  const pid = spawn("/bin/grep", {
    argv: ["a name", "^Sig", "/proc/self/status"],
    fds: [nothing.number, start.number, nothing.number],
    ...options,
  });
  start.close();
  const lines = readText(end.number).trim().split("\n");
  end.close();
  assertEquals(waitFor(pid), 0);
  return new Map(lines.map((line) => {
    const [name = "", value] = line.split(":\t");
    return [name, name === "SigQ" ? 0n : BigInt(`0x${value}`)];
  }));
}

Deno.test("spawn() blocks the signals it is told, and no others", () => {
  const expected = daemonSignals().reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);
  assertEquals(signalsOf({ blockedSignals: daemonSignals() }).get("SigBlk"), expected);
  assertEquals(signalsOf({}).get("SigBlk"), 0n);
});

Deno.test("spawn() gives back SIGPIPE, which Deno ignores", () => {
  const SIGPIPE = 13;
  assertEquals((signalsOf({}).get("SigIgn") ?? 1n) & (1n << BigInt(SIGPIPE - 1)), 0n);
});

Deno.test("spawn() sets argv[0] and the session", () => {
  assertEquals(outputOf("head -c 7 /proc/$$/cmdline"), "a shell");
  const script = "cut -d ' ' -f 6 /proc/$$/stat; echo $$";
  const [session, pid] = outputOf(script, { newSession: true }).split("\n");
  assertEquals(session, pid);
  assertNotEquals(...outputOf(script).trim().split("\n") as [string, string]);
});

Deno.test("spawn() passes the environment on", () => {
  const path = Deno.readTextFileSync("/proc/self/environ").split("\0")
    .find((entry) => entry.startsWith("PATH="));
  assertEquals(outputOf("echo PATH=$PATH").trim(), path);
});

Deno.test("spawn() says that there is no such program, and leaves no descriptor open", () => {
  using nothing = openNull();
  const before = [...Deno.readDirSync("/proc/self/fd")].length;
  const error = assertThrows(
    () => spawn("/missing/program", { argv: ["x"], fds: [nothing.number] }),
    SystemError,
  );
  assertEquals(error.errno, ENOENT);
  assertEquals([...Deno.readDirSync("/proc/self/fd")].length, before);
});

Deno.test("waitFor() tells exit codes and signals", () => {
  using nothing = openNull();
  const fd = nothing.number;
  const end = (script: string): number =>
    waitFor(spawn("/bin/sh", { argv: ["sh", "-c", script], fds: [fd, fd, fd] }));
  assertEquals(end("exit 0"), 0);
  assertEquals(end("exit 77"), 77);
  assertEquals(end("kill -9 $$"), 128 + 9);
});

Deno.test("runProgram() gives exit codes, and -1 for what cannot be started", () => {
  assertEquals(runProgram("/bin/sh", ["-c", "exit 3"]), 3);
  assertEquals(runProgram("/missing/program", []), -1);
});
