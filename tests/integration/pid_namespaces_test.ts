// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PidNamespace, pidNamespaceTest } from "../support/pid_namespace.ts";
import { eventually } from "../support/patience.ts";
import { asRoot, exists, statesIn, type Surroundings } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

interface Exported {
  readonly socket: string;
  /** Of the daemon, where it was started. */
  readonly pid: number;
}

async function exported(
  program: Surroundings,
  folder: TempDirectory,
  name = "socket",
): Promise<Exported> {
  const image = folder.file(`${name}.raw`);
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const socket = folder.file(name);
  await program.must("--socket", socket, image);
  const state = statesIn(program.stateDirectory).find(({ device }) => device === socket);
  return { socket, pid: state?.pid ?? -1 };
}

pidNamespaceTest(
  "-l of a container lists a daemon outside of it, and leaves it alone",
  async () => {
    using folder = new TempDirectory();
    const outside = asRoot();
    await using inside = await PidNamespace.create();
    const { socket, pid } = await exported(outside, folder);
    const { stdout, stderr } = await inside.program.run("--raw", "-n", "-O", "NAME,PID");
    assertStringIncludes(stdout, `${socket} -\n`);
    assertEquals(stderr, "");
    assertStringIncludes(await outside.must("--raw", "-n", "-O", "NAME,PID"), `${socket} ${pid}\n`);
    await outside.must("-d", socket);
    assert(!exists(socket));
  },
);

pidNamespaceTest("-d in a container says who can end a daemon outside of it", async () => {
  using folder = new TempDirectory();
  const outside = asRoot();
  await using inside = await PidNamespace.create();
  const { socket, pid } = await exported(outside, folder);
  for (const options of [[], ["--force"]]) {
    const { code, stderr } = await inside.program.run("-d", ...options, socket);
    assertEquals(code, 1);
    const where = "runs in another PID namespace, such as a container's, as pid";
    assertMatch(stderr, new RegExp(`: its daemon ${where} ${pid} there, .*\\n$`));
  }
  const { stderr } = await inside.program.run("-c", socket);
  assertStringIncludes(stderr, "set capacity failed: its daemon runs in another PID namespace");
  assertEquals((await outside.run("-c", socket)).code, 0);
  await outside.must("-d", socket);
});

pidNamespaceTest("-l, -c and -d outside of a container reach a daemon in it", async () => {
  using folder = new TempDirectory();
  const outside = asRoot();
  await using inside = await PidNamespace.create();
  const { socket, pid } = await exported(inside.program, folder);
  const [shown] = inside.program.processes();
  assertStringIncludes(await outside.must("--raw", "-n", "-O", "NAME,PID"), `${socket} ${shown}\n`);
  assert(shown !== pid);
  await outside.must("-c", socket);
  await outside.must("-d", socket);
  assert(!exists(socket));
  assertEquals(inside.program.processes(), []);
});

pidNamespaceTest("a daemon that ended with its container is taken for dead", async () => {
  using folder = new TempDirectory();
  const outside = asRoot();
  const inside = await PidNamespace.create();
  const { socket } = await exported(inside.program, folder);
  await inside[Symbol.asyncDispose]();
  await eventually(() => inside.program.processes().length === 0, "the container to end");
  assertMatch((await outside.run("-l")).stderr, /its daemon \(pid \d+\) was killed; removed\n$/);
  assert(!exists(socket));
});

pidNamespaceTest(
  "daemons with the same process id in two containers have their own states",
  async () => {
    using folder = new TempDirectory();
    await using one = await PidNamespace.create();
    await using two = await PidNamespace.create();
    const sockets = [
      await exported(one.program, folder, "one"),
      await exported(two.program, folder, "two"),
    ];
    assertEquals(sockets[0]?.pid, sockets[1]?.pid);
    for (const [number, { program }] of [one, two].entries()) {
      await program.must("-c", sockets[number]?.socket ?? "");
      await program.must("-d", sockets[number]?.socket ?? "");
      assert(!exists(sockets[number]?.socket ?? ""));
      assert(number === 1 || exists(sockets[1]?.socket ?? ""));
    }
  },
);

pidNamespaceTest("a container that sees the /proc around it makes and ends daemons", async () => {
  using folder = new TempDirectory();
  const outside = asRoot();
  await using inside = await PidNamespace.create("outer");
  const { socket, pid } = await exported(inside.program, folder);
  const [shown] = inside.program.processes();
  assert(shown !== pid);
  const listing = await inside.program.run("--raw", "-n", "-O", "NAME,PID");
  assertEquals([listing.stderr, listing.stdout.includes(`${socket} ${shown}\n`)], ["", true]);
  await inside.program.must("-c", socket);
  await inside.program.must("-d", socket);
  assert(!exists(socket));
  assertEquals(inside.program.processes(), []);
  // Of one that is not in it, the id in /proc is another's inside.
  const other = await exported(outside, folder, "other");
  const { code, stderr } = await inside.program.run("-d", other.socket);
  assertEquals([code, /runs in another PID namespace/.test(stderr)], [1, true], stderr);
  await outside.must("-d", other.socket);
});
