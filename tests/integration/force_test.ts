// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DeafDaemon } from "../support/deaf_daemon.ts";
import { exists, statesIn } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

Deno.test("-d --force ends a daemon that does not care", async () => {
  using folder = new TempDirectory();
  const device = folder.file("socket");
  using _listener = Deno.listen({ transport: "unix", path: device });
  const socketInode = Deno.lstatSync(device).ino ?? 0;
  using daemon = new DeafDaemon({ device, transport: "socket", image: "/disk", socketInode });
  const { code, stderr } = await daemon.program.run("-d", "--force", device);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /: warning: gave up on its daemon \(pid \d+\)\n$/);
  assert(!daemon.isRunning);
  assert(!exists(device));
  assertEquals(statesIn(daemon.program.stateDirectory), []);
});

Deno.test("-d of a daemon that ends without a last word fails", async () => {
  using folder = new TempDirectory();
  const device = folder.file("socket");
  using daemon = new DeafDaemon({ device, transport: "socket", image: "/disk" });
  const detaching = daemon.program.run("-d", device);
  await daemon.told();
  Deno.kill(daemon.pid, "SIGKILL");
  const { code, stderr } = await detaching;
  assertEquals(code, 1);
  assertMatch(stderr, /: detached, but its daemon \(pid \d+\) ended before .*\n$/);
});

Deno.test("-c does not wait for a daemon that has ended meanwhile", async () => {
  using folder = new TempDirectory();
  const device = folder.file("socket");
  using daemon = new DeafDaemon({ device, transport: "socket", image: "/disk" });
  const resizing = daemon.program.run("-c", device);
  await daemon.told();
  Deno.kill(daemon.pid, "SIGKILL");
  const { code, stderr } = await resizing;
  assertEquals(code, 1);
  assertMatch(stderr, /: set capacity failed: its daemon \(pid \d+\) has ended\n$/);
});
