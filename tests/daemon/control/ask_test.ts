// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { askDaemon } from "../../../src/daemon/control/ask.ts";
import { decodeRequest, type Order } from "../../../src/daemon/control/messages.ts";
import type { AttachState } from "../../../src/daemon/state.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { TempDirectory } from "../../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Takes connections, and hangs up on the first ones; answers the next one if there is an answer, or else ends. */
const DAEMON = `
  const [path, rude, answer] = Deno.args;
  const listener = Deno.listen({ transport: "unix", path });
  const said = [];
  console.log("ready");
  for (let n = 0; n < Number(rude); n++) {
    const connection = await listener.accept();
    if (answer === undefined) Deno.exit();
    said.push(await line(connection));
    connection.close();
  }
  const connection = await listener.accept();
  said.push(await line(connection));
  await connection.write(new TextEncoder().encode(answer));
  connection.close();
  console.log(JSON.stringify(said));
  async function line(connection) {
    const bytes = new Uint8Array(4096);
    return new TextDecoder().decode(bytes.subarray(0, await connection.read(bytes)));
  }
`;
const ORDER: Order = { kind: "grow", bytes: 4096, isMore: true };

/** Has `ask` ask somebody who behaves like that; what that one was told. */
async function asking(
  daemon: { readonly rude: number; readonly answer?: string },
  ask: (state: AttachState) => void,
): Promise<string> {
  using folder = new TempDirectory();
  const { rude, answer = [] } = daemon;
  const args = ["eval", DAEMON, folder.file("7.control"), `${rude}`].concat(answer);
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  ask({ file: { path: folder.file("state"), inode: 7 }, pid: 42 } as AttachState);
  const { value = "" } = await reader.read();
  await reader.cancel();
  await child.status;
  return value;
}

Deno.test("a daemon that ends before it has read what it is asked for has ended", async () => {
  await asking({ rude: 1 }, (state) => {
    assertThrows(() => askDaemon(state, ORDER, 10_000), Error, "its daemon (pid 42) has ended");
  });
});

Deno.test("askDaemon() tells the next daemon the same if one is killed before it has answered", async () => {
  const answer = '{"version":1,"ok":true,"sizeBytes":8192}\n';
  const said = await asking({ rude: 2, answer }, (state) => {
    assertEquals(askDaemon(state, ORDER, 10_000).sizeBytes, 8192);
  });
  const requests = (JSON.parse(said) as string[]).map(decodeRequest);
  assertEquals(requests.length, 3);
  assertEquals(new Set(requests.map(({ id }) => id)).size, 1);
});

Deno.test("askDaemon() gives up if one daemon after the other is killed", async () => {
  const answer = '{"version":1,"ok":true,"sizeBytes":8192}\n';
  await asking({ rude: 3, answer }, (state) => {
    assertThrows(() => askDaemon(state, ORDER, 10_000), Error, "it may have done that before");
    // Told something else, it ends.
    askDaemon(state, ORDER, 10_000);
  });
});
