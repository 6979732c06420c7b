// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, TempDirectory } from "../support/tools.ts";

const PROCESS = new URL("disarmed_process.ts", import.meta.url).pathname;
const EPERM = 1;
const OUTCOMES = {
  "open for reading": 0,
  "open for writing": EPERM,
  "unlink": 0,
  "mkdir": EPERM,
  "rename": EPERM,
  "signal to itself": 0,
  "signal to another": EPERM,
  "unix datagrams": 0,
  "unix stream": EPERM,
  "inet socket": EPERM,
  "netlink socket": EPERM,
  "network interface": EPERM,
  "own descriptors": 0,
  "own mounts": EPERM,
  "chroot": EPERM,
  "another process": EPERM,
  "another program": EPERM,
} as const;

Deno.test("disarm() leaves a process what it serves by, threads included, and no more", async () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "");
  const args = ["run", "--quiet", "--no-check", "-A", PROCESS, folder.path];
  const printed = await must(Deno.execPath(), ...args);
  assertEquals(JSON.parse(printed), { others: true, said: "lives", outcomes: OUTCOMES });
});
