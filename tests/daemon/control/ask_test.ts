// @ts-types="../../support/std_assert.d.ts"
import { assertThrows } from "@std/assert";
import { askDaemon } from "../../../src/daemon/control/ask.ts";
import type { AttachState } from "../../../src/daemon/state.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { TempDirectory } from "../../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Takes a connection, and ends without having read anything. */
const RUDE_DAEMON = `
  const listener = Deno.listen({ transport: "unix", path: Deno.args[0] });
  console.log("ready");
  await listener.accept();
  Deno.exit();
`;

Deno.test("a daemon that ends before it has read what it is asked for has ended", async () => {
  using folder = new TempDirectory();
  const path = folder.file("7.control");
  const args = ["eval", RUDE_DAEMON, path];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const state = { file: { path: folder.file("state"), inode: 7 }, pid: 42 } as AttachState;
  assertThrows(
    () => askDaemon(state, { grow: 1 } as never, 10_000),
    Error,
    "its daemon (pid 42) has ended",
  );
  await reader.cancel();
  await child.status;
});
