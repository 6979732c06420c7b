/**
 * Daemons that are killed while their devices are in use: others take their places.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { isLinuxSince } from "../../../src/kernel/release.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { keyFileOf, makeVolume } from "../../support/encrypted.ts";
import { LogSocket, obstacleToListening } from "../../support/log_socket.ts";
import type { Program } from "../../support/packages.ts";
import { eventually, Waiting } from "../../support/patience.ts";
import { isRunning, processIds } from "../../support/program.ts";
import { must, run, runPatiently, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

function revivalTest(name: string, tools: readonly Program[], body: () => Promise<void>): void {
  const obstacle = isLinuxSince(6, 9) ? undefined : "no FUSE_NOTIFY_RESEND before Linux 6.9";
  deviceTest(name, tools, body, { obstacle });
}

/** What is logged about killed daemons, in order; undefined where a log service runs. */
class DeathLog implements Disposable {
  readonly #log = obstacleToListening() === undefined ? new LogSocket() : undefined;
  readonly #lines: string[] = [];

  /** Waits for as many lines as are expected. */
  async expect(...expected: readonly RegExp[]): Promise<void> {
    if (this.#log === undefined) return;
    await eventually(() => this.#seen().length >= expected.length, "the log");
    assertEquals(this.#lines.length, expected.length, this.#lines.join("\n"));
    this.#lines.forEach((line, at) => assertMatch(line, expected[at] ?? /$^/));
  }

  #seen(): readonly string[] {
    const lines = this.#log?.lines() ?? [];
    this.#lines.push(...lines.filter((line) => /killed|in its place|given up/.test(line)));
    return this.#lines;
  }

  [Symbol.dispose](): void {
    this.#log?.[Symbol.dispose]();
  }
}

function childrenOf(pid: number | undefined): number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).trim();
  return children === "" ? [] : children.split(" ").map(Number);
}

/** Whether a daemon has its job: also the state of its device. */
function hasState(pid: number, { name }: Device): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return [...Deno.readDirSync(folder)].some((fd) =>
      Deno.readLinkSync(`${folder}/${fd.name}`).includes(`/${name}.json`)
    );
  } catch {
    return false;
  }
}

/** The shell that waits beside the daemon of a device. */
function watcherOf(device: Device): number | undefined {
  return processIds().find((pid) => {
    const environment = textOf(`/proc/${pid}/environ`).split("\0");
    const isShell = textOf(`/proc/${pid}/cmdline`).split("\0")[1] === "-c";
    return isShell && environment.includes(`DEVICE=${device.path}`);
  });
}

/** What a process has open that has a name, or had one. */
function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  const targets = [...Deno.readDirSync(folder)].map(({ name }) => {
    const target = linkOf(`${folder}/${name}`);
    return target.startsWith("/") ? target.replace(/.*\/(renamed|disk)$/, "the image") : "";
  });
  return [...new Set(targets)].sort();
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

async function read(device: Device): Promise<string> {
  await must("blockdev", "--flushbufs", device.path);
  return (await must("sha256sum", device.path)).split(" ")[0] ?? "";
}

revivalTest("a file system sees nothing of daemons that are killed", [
  ...["fio", "mkfs.ext4", "e2fsck", "qemu-img"] as const,
], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 256 * MIB);
  await must("mkfs.ext4", "-q", "-F", image);
  await using device = await Device.attach(image, "-t", "RAW");
  const mountPoint = folder.file("mnt");
  await device.mount(mountPoint);
  const fio = runPatiently(
    ...["fio", "--name=x", `--filename=${mountPoint}/file`, "--size=64M"] as const,
    ...["--rw=randwrite", "--bs=16k", "--direct=1", "--ioengine=libaio", "--iodepth=16"],
    ...[
      "--verify=crc32c",
      "--verify_fatal=1",
      "--do_verify=1",
      "--verify_state_save=0",
      "--rate_iops=1000",
    ],
  );
  for (let kills = 0; kills < 3; kills++) {
    await eventually(() => device.inFlight > 0, "requests");
    await device.killAndRevive();
  }
  const { code, stdout, stderr } = await fio;
  assertEquals([code, stderr], [0, ""], stdout);
  assertMatch(await device.program.must("-l", device.path), /REVIVED\n.* 3\n$/);
  const other = await device.program.run("-f", "--transport", "fuse", "-t", "RAW", image);
  assertMatch(other.stderr, /the image is in use by/);
  await device.unmount(mountPoint);
  await device.detach();
  await device.gone();
  await must("e2fsck", "-fn", image);
});

revivalTest("an image need not be found again, nor its passphrase", ["cryptsetup"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await makeVolume(image, { sizeBytes: 8 * MIB });
  const key = keyFileOf(image);
  await using device = await Device.attach(image, "-t", "LUKS", "-r", "--key-file", key);
  const before = await read(device);
  Deno.renameSync(image, folder.file("renamed"));
  Deno.removeSync(key);
  const watcher = watcherOf(device);
  const openBefore = openFiles(device.currentPid);
  await device.killAndRevive();
  await device.killAndRevive();
  assertEquals(await read(device), before);
  await eventually(() => !isRunning(watcher ?? 0), "the first watcher to end");
  assertEquals(openFiles(device.currentPid), openBefore);
  await device.program.must("-d", device.path);
  await eventually(() => !isRunning(device.currentPid), "the daemon to end");
});

revivalTest("-c asks the next daemon if the first one was just killed", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), MIB);
  await using device = await Device.attach(image, "-t", "RAW");
  Deno.truncateSync(image, 2 * MIB);
  device.kill("SIGKILL");
  await device.program.must("-c", device.path);
  assertEquals(device.sizeBytes, 2 * MIB);
  // The watcher has the image open, too, and for a moment so has who started the daemon.
  const waiting = new Waiting("the daemon to be named");
  for (let said = ""; !said.includes(` by tslosetup (pid ${device.currentPid})`); waiting.goOn()) {
    said = (await device.program.run("-t", "RAW", "--socket", folder.file("s"), image)).stderr;
  }
  await device.detach();
});

revivalTest("daemons that are killed again and again are given up", [], async () => {
  using folder = new TempDirectory();
  using log = new DeathLog();
  await using device = await Device.attach(makeSparse(folder.file("disk"), MIB), "-t", "RAW");
  for (let kills = 1; kills < 5; kills++) await device.killAndRevive();
  const last = device.currentPid;
  const watcher = watcherOf(device);
  Deno.kill(last, "SIGKILL");
  await eventually(() => !isRunning(watcher ?? 0), "it to be given up");
  const [killed, next] = [/ was killed$/, / serves .* in its place$/];
  const revivals = Array.from({ length: 4 }, () => [killed, next]).flat();
  await log.expect(...revivals, killed, / is given up: 5 daemons were killed within 60 seconds$/);
  const { code } = await runPatiently("dd", `if=${device.path}`, "of=/dev/null", "iflag=direct");
  assertNotEquals(code, 0);
  await device.detach();
  await device.gone();
});

revivalTest("a daemon that is killed before it serves has one in its place, too", [], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), MIB), "-t", "RAW");
  const watcher = watcherOf(device);
  device.kill("SIGKILL");
  await eventually(() => childrenOf(watcher).length > 0, "the helper");
  Deno.kill(childrenOf(watcher)[0] ?? 0, "SIGKILL");
  await eventually(() => device.revivals > 0, "another daemon");
  await must("dd", `if=${device.path}`, "of=/dev/null", "iflag=direct", "status=none");
  await device.detach();
  await device.gone();
});

revivalTest(
  "a device outlives a helper that is killed just before its daemon is ready",
  [],
  async () => {
    using folder = new TempDirectory();
    await using device = await Device.attach(makeSparse(folder.file("disk"), MIB), "-t", "RAW");
    const watcher = watcherOf(device);
    device.kill("SIGKILL");
    let next: number | undefined;
    await eventually(() => {
      next = childrenOf(childrenOf(watcher)[0]).find((pid) => hasState(pid, device));
      return next !== undefined;
    }, "the next daemon");
    Deno.kill(next ?? 0, "SIGSTOP");
    Deno.kill(childrenOf(watcher)[0] ?? 0, "SIGKILL");
    Deno.kill(next ?? 0, "SIGCONT");
    await eventually(() => device.revivals > 0, "another daemon");
    await must("dd", `if=${device.path}`, "of=/dev/null", "iflag=direct", "status=none");
    const { stdout } = await device.program.run("-l", "-n", "-O", "NAME,REVIVED");
    assertMatch(stdout, new RegExp(`^${device.path} +1$`, "m"));
    await device.detach();
    await device.gone();
  },
);

revivalTest("an image that another one was written over is given up", ["qemu-img"], async () => {
  using log = new DeathLog();
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "4M");
  await using device = await Device.attach(image, "-t", "QCOW");
  const watcher = watcherOf(device);
  await must("qemu-img", "create", "-q", "-f", "qcow2", folder.file("other"), "2M");
  const other = Deno.readFileSync(folder.file("other"));
  Deno.writeFileSync(image, other);
  device.kill("SIGKILL");
  await eventually(() => !isRunning(watcher ?? 0), "it to be given up");
  await log.expect(/ was killed$/, / is given up: .*: 2097152 bytes instead of 4194304$/);
  await device.detach();
  await device.gone();
  assertEquals(Deno.readFileSync(image), other);
});

const JUST_KILLED =
  "-d detaches a device whose daemon was just killed, and what that had answered is there";

revivalTest(JUST_KILLED, ["qemu-img"], async () => {
  for (const force of [[], ["--force"]]) {
    using folder = new TempDirectory();
    const [image, piece, copy] = ["disk", "piece", "copy"].map((name) => folder.file(name));
    await must("qemu-img", "create", "-q", "-f", "qcow2", `${image}`, "4M");
    Deno.writeFileSync(`${piece}`, crypto.getRandomValues(new Uint8Array(65536)));
    await using device = await Device.attach(`${image}`, "-t", "QCOW");
    const watcher = watcherOf(device);
    await must("dd", `if=${piece}`, `of=${device.path}`, "bs=64k", "oflag=direct", "status=none");
    device.kill("SIGKILL");
    const { code, stderr } = await device.program.run("-d", ...force, device.path);
    assertEquals(code, 0, stderr);
    await device.gone();
    await eventually(() => !isRunning(watcher ?? 0), "the watcher to end");
    await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", `${image}`, `${copy}`);
    await must("cmp", "-n", "65536", `${piece}`, `${copy}`);
  }
});

revivalTest("--no-revive, or a killed watcher: the device fails at once", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), MIB);
  for (const [...words] of [["--no-revive"], []]) {
    using log = new DeathLog();
    await using device = await Device.attach(image, "-t", "RAW", ...words);
    const isRevivable = words.length === 0;
    if (isRevivable) {
      Deno.kill(watcherOf(device) ?? 0, "SIGKILL");
      await log.expect(/the watcher of this daemon was killed: .* no other one takes its place$/);
      const { code, stderr } = await device.program.run("-l", device.path);
      assertEquals(code, 0);
      assertStringIncludes(stderr, `${device.path}: warning: the watcher of its daemon was killed`);
    }
    device.kill("SIGKILL");
    if (!isRevivable) await log.expect(/the daemon of \/dev\/loop\d+ \(pid \d+\) was killed$/);
    await eventually(() => !device.isRunning, "the daemon to be gone");
    const { code } = await runPatiently("dd", `if=${device.path}`, "of=/dev/null", "iflag=direct");
    assertNotEquals(code, 0);
    await device.detach();
    await device.gone();
  }
});

revivalTest(
  "a device that was to go when its daemon was killed does go",
  ["mkfs.ext4"],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 16 * MIB);
    await must("mkfs.ext4", "-q", "-F", image);
    await using device = await Device.attach(image, "-t", "RAW");
    await device.mount(folder.file("mnt"));
    device.kill("SIGTERM");
    await eventually(() => device.attribute("loop/autoclear") === "1", "it to be about to go");
    await device.killAndRevive();
    Deno.writeTextFileSync(folder.file("mnt") + "/file", "text");
    assert(device.isAttached);
    await device.unmount(folder.file("mnt"));
    await device.gone();
    await eventually(() => !isRunning(device.currentPid), "the daemon to end");
    const { code } = await run("e2fsck", "-fn", image);
    assertEquals(code, 0);
  },
);
