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
  readonly image = this.#folder.file("disk.raw");
  readonly program: Surroundings;
  #heard = "";

  constructor(notifySocket = this.#folder.file("notify")) {
    this.program = asRoot({ NOTIFY_SOCKET: notifySocket });
    Deno.writeFileSync(this.image, new Uint8Array(4096));
  }

  run(pidFile = this.pidFile): Promise<Finished> {
    const words = ["--foreground", "--pid-file", pidFile];
    return this.program.run(...words, "--show", "--socket", this.socket, this.image);
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

Deno.test("tslosetup --foreground writes no process id over what has none", async () => {
  using foreground = new Foreground();
  for (
    const [pidFile, what] of [[foreground.image, "the file there has something else in it"], [
      "/dev/null",
      "what is there is not a regular file",
    ]] as const
  ) {
    const { code, stderr } = await foreground.run(pidFile);
    assertEquals(
      [code, stderr],
      [1, `tslosetup: ${pidFile}: cannot write the process id: ${what}\n`],
    );
    assert(!exists(foreground.socket));
  }
  assertEquals(Deno.statSync(foreground.image).size, 4096);
  assert(Deno.statSync("/dev/null").isCharDevice);
});

Deno.test("tslosetup --foreground replaces a process id, and leaves the file to who replaces it", async () => {
  using foreground = new Foreground();
  for (const before of ["", "123\n"]) {
    Deno.writeTextFileSync(foreground.pidFile, before);
    const running = foreground.run();
    const replaced = (): boolean => Deno.readTextFileSync(foreground.pidFile) !== before;
    await eventually(replaced, "the process id to be written");
    Deno.writeTextFileSync(foreground.pidFile, "other");
    await foreground.program.must("-d", foreground.socket);
    assertEquals((await running).code, 0);
    assertEquals(Deno.readTextFileSync(foreground.pidFile), "other");
  }
});

Deno.test("tslosetup --foreground stays where the manager's socket has too long a name", async () => {
  for (const first of ["/", "@"]) {
    using foreground = new Foreground(first + "n".repeat(108));
    const running = foreground.run();
    await eventually(() => exists(foreground.pidFile), "the server to be ready");
    await foreground.program.must("-d", foreground.socket);
    const { code, stderr } = await running;
    assertEquals([code, stderr], [0, ""]);
  }
});
