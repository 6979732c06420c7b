/**
 * Daemons in containers that are killed, by whoever, or with their containers.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { missingForPidNamespaces, PidNamespace } from "../../support/pid_namespace.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot, statesIn, type Surroundings } from "../../support/program.ts";
import { run, TempDirectory } from "../../support/tools.ts";
import { isLinuxSince } from "../../../src/kernel/release.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { deviceTest, FUSE, isAttached, makeSparse, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

function containerTest(name: string, body: () => Promise<void>): void {
  const tooOld = isLinuxSince(6, 9) ? undefined : "Linux before 6.9";
  deviceTest(name, [], body, { obstacle: tooOld ?? missingForPidNamespaces() });
}

/** A device of a daemon in a container, until the end of the scope. */
class ContainerDevice implements AsyncDisposable {
  readonly #outside = asRoot();

  private constructor(readonly path: string) {}

  static async attach(program: Surroundings, image: string): Promise<ContainerDevice> {
    const path = (await program.must(...FUSE, "-t", "RAW", "-f", "--show", image)).trim();
    return new ContainerDevice(path);
  }

  get revivals(): number {
    const state = statesIn(this.#outside.stateDirectory).find(({ device }) => device === this.path);
    return Number(state === undefined ? NaN : state.revivals ?? 0);
  }

  async reads(): Promise<boolean> {
    const { code } = await run("dd", `if=${this.path}`, "of=/dev/null", "count=1", "iflag=direct");
    return code === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (isAttached(this.path)) await this.#outside.run("-d", this.path);
  }
}

containerTest("a daemon of a container that is killed from outside is revived in it", async () => {
  using folder = new TempDirectory();
  await using inside = await PidNamespace.create();
  const image = makeSparse(folder.file("disk"), MIB);
  await using device = await ContainerDevice.attach(inside.program, image);
  const namespace = Deno.readLinkSync(`/proc/${inside.firstPid}/ns/pid`);
  for (let kills = 1; kills <= 2; kills++) {
    const before = daemonOf(device.path);
    Deno.kill(before, "SIGKILL");
    const isServed = (): boolean =>
      device.revivals === kills && !Number.isNaN(daemonOf(device.path));
    await eventually(isServed, "the next daemon");
    const next = daemonOf(device.path);
    assertNotEquals(next, before);
    assertEquals(Deno.readLinkSync(`/proc/${next}/ns/pid`), namespace);
    assertEquals(await device.reads(), true);
  }
  const columns = ["-n", "--raw", "-O", "PID,REVIVED", device.path];
  assertEquals(await asRoot().must("-l", ...columns), `${daemonOf(device.path)} 2\n`);
  await asRoot().must("-d", device.path);
  await eventually(() => inside.program.processes().length === 0, "all processes to end");
});

containerTest("a daemon that ends with its container is not revived", async () => {
  using folder = new TempDirectory();
  const inside = await PidNamespace.create();
  const image = makeSparse(folder.file("disk"), MIB);
  await using device = await ContainerDevice.attach(inside.program, image);
  await inside[Symbol.asyncDispose]();
  await eventually(() => inside.program.processes().length === 0, "the container to end");
  assertEquals(await device.reads(), false);
  const { stderr } = await asRoot().run("-l", device.path);
  assertMatch(stderr, /: warning: its daemon \(pid \d+\) is gone and all access fails; detach it/);
  await asRoot().must("-d", device.path);
  assertEquals(isAttached(device.path), false);
  assertEquals(Number.isNaN(device.revivals), true);
});

/** Its process id here. */
function daemonOf(device: string): number {
  return Number(
    [...Deno.readDirSync("/proc")].map(({ name }) => name).find((name) => isDaemon(name, device)),
  );
}

function isDaemon(id: string, device: string): boolean {
  if (!/^\d+$/.test(id)) return false;
  try {
    const words = Deno.readTextFileSync(`/proc/${id}/cmdline`).split("\0");
    return words.includes("--internal-daemon") && words.includes(device);
  } catch {
    return false;
  }
}
