/**
 * What a service manager is told, on sockets of both kinds.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { notifyManager } from "../../src/daemon/service_manager.ts";
import { DatagramListener } from "../support/datagram_listener.ts";
import { TempDirectory } from "../support/tools.ts";

for (const kind of ["path", "abstract"] as const) {
  Deno.test(`notifyManager() tells a socket whose name is ${kind}`, () => {
    using folder = new TempDirectory();
    const name = folder.file("notify");
    using manager = new DatagramListener(name, kind);
    const variable = `NOTIFY_SOCKET=${kind === "path" ? "" : "@"}${name}`;
    notifyManager({ READY: 1, MAINPID: 7, STATUS: "two\nlines" }, [variable]);
    assertEquals(manager.received(), ["READY=1\nMAINPID=7\nSTATUS=two lines\n"]);
  });
}

Deno.test("notifyManager() is silent where nobody listens, or wants to", () => {
  notifyManager({ READY: 1 }, []);
  notifyManager({ READY: 1 }, ["NOTIFY_SOCKET=/nonexistent/notify"]);
  notifyManager({ READY: 1 }, ["NOTIFY_SOCKET=vsock:2:1"]);
});
