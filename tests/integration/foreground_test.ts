/**
 * `--foreground`: who stays, what a service manager hears of it, and how it ends.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatagramListener } from "../support/datagram_listener.ts";
import { eventually } from "../support/patience.ts";
import { asRoot, exists, type Finished, statesIn, type Surroundings } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

/** A server in the foreground, and what it tells. */
class Foreground implements Disposable {
  readonly #folder = new TempDirectory();
  readonly socket = this.#folder.file("socket");
  readonly pidFile = this.#folder.file("pid");
  readonly #manager = new DatagramListener(this.#folder.file("notify"));
  readonly program: Surroundings = asRoot({ NOTIFY_SOCKET: this.#folder.file("notify") });
  #heard = "";

  run(pidFile = this.pidFile): Promise<Finished> {
    const image = this.#folder.file("disk.raw");
    Deno.writeFileSync(image, new Uint8Array(4096));
    const words = ["--foreground", "--pid-file", pidFile];
    return this.program.run(...words, "--show", "--socket", this.socket, image);
  }

  get heard(): string {
    return this.#heard += this.#manager.received().join("");
  }

  [Symbol.dispose](): void {
    this.#manager[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("tslosetup --foreground tells when it is ready, and ends its server at SIGTERM", async () => {
  using foreground = new Foreground();
  const running = foreground.run();
  await eventually(() => foreground.heard.includes("READY=1"), "the server to be ready");
  const pid = Number(Deno.readTextFileSync(foreground.pidFile));
  assertStringIncludes(foreground.heard, `MAINPID=${pid}\n`);
  assertEquals((Deno.statSync(foreground.pidFile).mode ?? 0) & 0o777, 0o644);
  Deno.kill(pid, "SIGTERM");
  const { code, stdout, stderr } = await running;
  assertEquals([code, stdout, stderr], [0, `nbd+unix:///?socket=${foreground.socket}\n`, ""]);
  assertStringIncludes(foreground.heard, "STOPPING=1");
  assert(!exists(foreground.pidFile));
  assert(!exists(foreground.socket));
});

Deno.test("tslosetup --foreground ends when its server is detached by others", async () => {
  using foreground = new Foreground();
  const running = foreground.run();
  await eventually(() => foreground.heard.includes("READY=1"), "the server to be ready");
  await foreground.program.must("-d", foreground.socket);
  assertEquals((await running).code, 0);
  assert(!exists(foreground.pidFile));
});

Deno.test("tslosetup --foreground fails, and leaves nothing, when its daemon is killed", async () => {
  using foreground = new Foreground();
  const running = foreground.run();
  await eventually(() => foreground.heard.includes("READY=1"), "the server to be ready");
  const [state] = statesIn(foreground.program.stateDirectory)
    .filter(({ device }) => device === foreground.socket);
  const pid = state?.pid ?? 0;
  Deno.kill(pid, "SIGKILL");
  const { code, stderr } = await running;
  const loss = "the last writes may not have reached the disk";
  const line = `tslosetup: ${foreground.socket}: its daemon (pid ${pid}) was killed; ${loss}\n`;
  assertEquals([code, stderr], [1, line]);
  assert(!exists(foreground.socket));
  assert(!exists(foreground.pidFile));
});

Deno.test("tslosetup --foreground leaves nothing where its PID file cannot be written", async () => {
  using foreground = new Foreground();
  const { code, stderr } = await foreground.run("/nonexistent/pid");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "/nonexistent/pid: cannot write the process id");
  assert(!exists(foreground.socket));
});
