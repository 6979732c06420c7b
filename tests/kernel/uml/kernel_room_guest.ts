/**
 * Drives src/kernel against a real kernel; runs inside the guest, reports in lines of
 * `ok NAME` and `not ok NAME: details`.
 *
 * @module
 */
import { EBUSY, EINVAL, SystemError } from "../../../src/sys/errno.ts";
import { openNull, spawn, waitFor } from "../../../src/sys/spawn.ts";
import { streamPair } from "../../../src/sys/sockets.ts";
import {
  diskAttribute,
  diskNames,
  diskSizeBytes,
  partitionsOf,
} from "../../../src/kernel/block_devices.ts";
import { attachLoop, detachLoop } from "../../../src/kernel/loop.ts";
import { loopBackingPath, loopStatus } from "../../../src/kernel/loop_status.ts";
import { hasNbd, requireLoop, requireNbd } from "../../../src/kernel/modules.ts";
import { type NbdConnection, NbdControl } from "../../../src/kernel/nbd.ts";
import {
  nbdDevice,
  nbdIndex,
  tuneQueue,
  waitUntilDisconnected,
  waitUntilUsable,
} from "../../../src/kernel/nbd_devices.ts";
import { hidePartitions, showPartitions } from "../../../src/kernel/partitions.ts";
import { deviceUsers } from "../../../src/kernel/users.ts";
import { eventually, pause } from "../../support/patience.ts";
import { isRunning } from "../../support/program.ts";

const FLAGS = { has: 1, readOnly: 2, flush: 4, multiConnection: 256 } as const;
const SERVER = new URL("tiny_nbd_server.ts", import.meta.url).pathname;
const BACKEND = "tslosetup test";
const IMAGE = "/tmp/disk.img";
const FILE_SYSTEM = "/tmp/ext4.img";

const STALL_OFFSET = 15 * 1024 * 1024;
const STANDARD_LOOP = {
  backingPath: IMAGE,
  readOnly: true,
  directIo: "no",
  partScan: true,
  sectorSizeBytes: 512,
} as const;

/** Numbers of the devices that are connected. */
function connected(): number[] {
  return diskNames("nbd").map((name) => nbdIndex(name) ?? -1)
    .filter((index) => nbdDevice(index)?.connected === true);
}

function report(line: string): void {
  Deno.writeTextFileSync("/run/share/results", `${line}\n`, { append: true });
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function check(name: string, body: () => unknown): Promise<void> {
  try {
    await body();
    report(`ok ${name}`);
  } catch (error) {
    const text = error instanceof Error ? `${error.message} ${error.stack}` : String(error);
    report(`not ok ${name}: ${text.replaceAll("\n", " | ")}`);
  }
}

function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

function errnoOf(body: () => unknown): number {
  try {
    body();
  } catch (error) {
    if (error instanceof SystemError) return error.errno;
    throw error;
  }
  return 0;
}

interface Attached {
  readonly index: number;
  readonly path: string;
  readonly servers: readonly number[];
}

type Wishes = Partial<NbdConnection> & {
  readonly image?: string;
  readonly connections?: number;
  readonly stallOffset?: number;
  readonly control: NbdControl;
};

/** Starts servers, connects them, waits for the device. */
function attach(
  { image = IMAGE, connections = 1, stallOffset = -1, control, ...wishes }: Wishes,
): Attached {
  const pairs = Array.from({ length: connections }, () => streamPair());
  const servers = pairs.map(([, theirs]) => startServer([image, `${stallOffset}`], theirs.number));
  const serverFlags = wishes.serverFlags ?? (FLAGS.has | FLAGS.flush);
  const sizeBytes = Deno.statSync(image).size;
  try {
    const { index } = control.connect({
      sockets: pairs.map(([ours]) => ours.number),
      sizeBytes,
      blockSizeBytes: 512,
      backend: BACKEND,
      ...wishes,
      serverFlags,
    });
    const readOnly = (serverFlags & FLAGS.readOnly) !== 0;
    return { index, path: waitUntilUsable(index, { sizeBytes, readOnly }), servers };
  } catch (error) {
    for (const server of servers) Deno.kill(server, "SIGKILL");
    throw error;
  } finally {
    for (const [ours, theirs] of pairs) {
      ours.close();
      theirs.close();
    }
  }
}

function startServer(args: string[], fd: number): number {
  using nothing = openNull();
  const argv = ["deno", "run", "-A", "--cached-only", SERVER, ...args];
  return spawn(Deno.execPath(), { argv, fds: [nothing.number, 1, 2, fd] });
}

async function ended(servers: readonly number[]): Promise<void> {
  await eventually(() => !servers.some(isRunning), "the servers to end");
}

/** Requests under way at the disk. */
function requestsAt(name: string): number {
  const counts = (diskAttribute(name, "inflight") ?? "").trim().split(/\s+/).map(Number);
  return counts.reduce((sum, count) => sum + count, 0);
}

function run(program: string, ...args: string[]): { code: number; text: string } {
  const output = new Deno.Command(program, { args, stdin: "null" }).outputSync();
  const text = new TextDecoder();
  return { code: output.code, text: text.decode(output.stdout) + text.decode(output.stderr) };
}

function must(program: string, ...args: string[]): string {
  const { code, text } = run(program, ...args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${code}: ${text}`);
  return text;
}

await check("requireNbd() and requireLoop() load the modules", () => {
  requireNbd();
  requireLoop();
  equal(hasNbd(), true);
});

using control = new NbdControl();

await check(
  "a device of the kernel's choice has size, block size, read-only flag, content",
  async () => {
    const { index, path, servers } = attach({ control, serverFlags: FLAGS.has | FLAGS.readOnly });
    const device = nbdDevice(index);
    equal([device?.connected, device?.backend, device?.readOnly], [true, BACKEND, true]);
    equal(must("blockdev", "--getss", path).trim(), "512");
    equal(must("cmp", path, IMAGE), "");
    equal(run("dd", "if=/dev/zero", `of=${path}`, "bs=512", "count=1").code, 1);
    equal(connected(), [index]);
    control.disconnect(index);
    await ended(servers);
    equal(waitUntilDisconnected(index), true);
    equal([nbdDevice(index)?.connected, diskSizeBytes(`nbd${index}`)], [false, 0]);
    servers.forEach(waitFor);
  },
);

await check("partitions are shown or hidden as asked", async () => {
  const { index, path, servers } = attach({ control, index: 5 });
  equal([index, path], [5, "/dev/nbd5"]);
  equal(showPartitions(path), ["/dev/nbd5p1", "/dev/nbd5p2"]);
  equal(Deno.statSync("/dev/nbd5p2").isBlockDevice, true);
  hidePartitions(path);
  equal(partitionsOf("nbd5"), []);
  must("dd", `if=${path}`, "of=/dev/null", "count=1");
  equal(partitionsOf("nbd5"), []);
  equal(showPartitions(path).length, 2);
  control.disconnect(index);
  await ended(servers);
});

await check("hidePartitions() is enough right after CONNECT", async () => {
  const { index, path, servers } = attach({ control, index: 5 });
  hidePartitions(path);
  must("dd", `if=${path}`, "of=/dev/null", "count=1");
  equal(partitionsOf("nbd5"), []);
  control.disconnect(index);
  await ended(servers);
});

await check(
  "a number beyond the module's own is made, and a busy one is refused",
  async () => {
    const { index, path, servers } = attach({ control, index: 20 });
    equal([path, diskSizeBytes("nbd20")], ["/dev/nbd20", Deno.statSync(IMAGE).size]);
    equal(errnoOf(() => attach({ control, index })), EBUSY);
    control.disconnect(index);
    await ended(servers);
    equal(nbdDevice(20)?.connected, false);
  },
);

await check("a missing node is made", async () => {
  Deno.removeSync("/dev/nbd7");
  const { index, path, servers } = attach({ control, index: 7 });
  must("cmp", path, IMAGE);
  equal(deviceUsers(path), []);
  control.disconnect(index);
  await ended(servers);
});

await check("RECONFIGURE changes the size and refuses another backend", async () => {
  const { index, servers } = attach({ control });
  control.reconfigure(index, { backend: BACKEND, sizeBytes: 8 * 1024 * 1024 });
  equal(diskSizeBytes(`nbd${index}`), 8 * 1024 * 1024);
  equal(
    errnoOf(() => control.reconfigure(index, { backend: "another's", sizeBytes: 512 })),
    EINVAL,
  );
  equal(diskSizeBytes(`nbd${index}`), 8 * 1024 * 1024);
  equal([control.isConfigured(index), control.isConfigured(9)], [true, false]);
  control.disconnect(index);
  await ended(servers);
});

await check("losetup -d of a loop device over nbd takes everything down", async () => {
  const { index, path, servers } = attach({ control, image: FILE_SYSTEM });
  const device = attachLoop({
    device: "/dev/loop12",
    backingPath: path,
    readOnly: false,
    directIo: "preferred",
    partScan: false,
    sectorSizeBytes: 512,
    label: FILE_SYSTEM,
  });
  control.disconnectOnLastClose(index, BACKEND);
  const status = loopStatus(device);
  equal(
    [status?.number, status?.directIo, status?.fileName, loopBackingPath("loop12")],
    [12, true, FILE_SYSTEM, path],
  );
  equal(status?.backingSpecial, { major: 43, minor: index * 32 });
  equal(deviceUsers(path), [{ kind: "loop", where: "/dev/loop12" }]);
  must("mount", device, "/mnt");
  equal(deviceUsers(device), [{ kind: "mount", where: "/mnt" }]);
  Deno.writeTextFileSync("/mnt/written", "by loop\n");
  must("umount", "/mnt");
  equal(errnoOf(() => attachLoop({ ...STANDARD_LOOP, device, backingPath: IMAGE })), EBUSY);
  must("losetup", "-d", device);
  await ended(servers);
  equal(waitUntilDisconnected(index), true);
  equal(loopStatus(device), undefined);
  equal(must("debugfs", "-R", "cat written", FILE_SYSTEM).includes("by loop"), true);
});

await check("a loop device over a file: partitions, offset, size limit, detachLoop()", () => {
  const device = attachLoop({ ...STANDARD_LOOP });
  equal(showPartitions(device), [`${device}p1`, `${device}p2`]);
  equal(run("dd", "if=/dev/zero", `of=${device}`, "count=1").code, 1);
  detachLoop(device);
  equal(loopStatus(device), undefined);
  const window = attachLoop({
    ...STANDARD_LOOP,
    ...{ partScan: false, offsetBytes: 4096, sizeLimitBytes: 8192, sectorSizeBytes: 4096 },
  });
  equal(must("blockdev", "--getsize64", "--getss", window).split("\n").slice(0, 2), [
    "8192",
    "4096",
  ]);
  detachLoop(window);
});

await check("a lazy detach waits for the mount", async () => {
  const { index, path, servers } = attach({ control, image: FILE_SYSTEM, index: 3 });
  must("mount", path, "/mnt");
  equal(deviceUsers(path), [{ kind: "mount", where: "/mnt" }]);
  control.detachLazily(index, { backend: BACKEND, node: path });
  await pause(300);
  equal([isRunning(servers[0] ?? 0), Deno.readTextFileSync("/mnt/written")], [true, "by loop\n"]);
  must("umount", "/mnt");
  await ended(servers);
  equal(waitUntilDisconnected(index), true);
});

await check("a lazy detach of an idle device is immediate", async () => {
  const { index, path, servers } = attach({ control, index: 3 });
  control.detachLazily(index, { backend: BACKEND, node: path });
  await ended(servers);
  equal(waitUntilDisconnected(index), true);
});

await check("a killed server fails new reads; unanswered ones wait for DISCONNECT", async () => {
  const { index, path, servers } = attach({ control, stallOffset: STALL_OFFSET });
  // What the kernel asks by itself at the first open is answered: the partition table.
  must("dd", `if=${path}`, "of=/dev/null", "bs=4096", "count=1");
  const skip = String(STALL_OFFSET / 4096);
  const reader = new Deno.Command("dd", {
    args: [`if=${path}`, "of=/dev/null", "bs=4096", "count=1", `skip=${skip}`, "iflag=direct"],
    stderr: "null",
  }).spawn();
  const readerEnd = reader.status.then(({ code }) => code);
  await eventually(() => requestsAt(`nbd${index}`) > 0, "a request");
  servers.forEach((pid) => Deno.kill(pid, "SIGKILL"));
  await ended(servers);
  equal(run("dd", `if=${path}`, "of=/dev/null", "bs=4096", "count=1", "iflag=direct").code, 1);
  equal(await Promise.race([readerEnd, pause(2000).then(() => "waiting")]), "waiting");
  equal(nbdDevice(index)?.connected, true);
  control.disconnect(index);
  equal(await readerEnd, 1);
  equal(waitUntilDisconnected(index), true);
});

await check("new sockets in place of a dead one: requests wait for them, none fails", async () => {
  const { index, servers } = attach({ control, index: 4, stallOffset: STALL_OFFSET });
  control.reconfigure(index, { backend: BACKEND, deadConnectionSeconds: 60 });
  tuneQueue(`nbd${index}`, { ioTimeoutMs: 500 });
  const holder = Deno.openSync(`/dev/nbd${index}`);
  const copy = (offset: number, ...args: string[]): Promise<number> => {
    const block = ["bs=4096", "count=1", `skip=${offset / 4096}`, "iflag=direct", ...args];
    const process = new Deno.Command("dd", {
      args: [`if=/dev/nbd${index}`, "of=/dev/null", ...block],
      stderr: "null",
    });
    return process.spawn().status.then(({ code }) => code);
  };
  const unanswered = copy(STALL_OFFSET);
  await eventually(() => requestsAt(`nbd${index}`) > 0, "a request");
  control.disconnectOnLastClose(index, BACKEND);
  servers.forEach((pid) => Deno.kill(pid, "SIGKILL"));
  await ended(servers);
  const later = copy(0);
  equal(await Promise.race([unanswered, later, pause(500).then(() => "waiting")]), "waiting");
  const pair = streamPair();
  const [ours, theirs] = pair;
  const server = startServer([IMAGE], theirs.number);
  control.reconfigure(index, { backend: BACKEND, sockets: [ours.number] });
  pair.forEach((end) => end.close());
  equal(await Promise.all([unanswered, later]), [0, 0]);
  holder.close();
  await ended([server]);
  equal(waitUntilDisconnected(index), true);
});

await check("a device over a dead server can be taken down by losetup -d", async () => {
  const { index, path, servers } = attach({ control });
  hidePartitions(path);
  const device = attachLoop({ ...STANDARD_LOOP, backingPath: path, directIo: "preferred" });
  control.disconnectOnLastClose(index, BACKEND);
  equal(showPartitions(device), [`${device}p1`, `${device}p2`]);
  equal(partitionsOf(`nbd${index}`), []);
  servers.forEach((pid) => Deno.kill(pid, "SIGKILL"));
  await ended(servers);
  must("losetup", "-d", device);
  equal([loopStatus(device), waitUntilDisconnected(index)], [undefined, true]);
});

await check("a server that does not move cannot keep DISCONNECT from working", async () => {
  const { index, servers } = attach({ control, index: 6 });
  servers.forEach((pid) => Deno.kill(pid, "SIGSTOP"));
  control.disconnect(index);
  equal(waitUntilDisconnected(index), true);
  servers.forEach((pid) => Deno.kill(pid, "SIGKILL"));
  await ended(servers);
});

await check("two connections; a device is used again and again", async () => {
  for (let round = 0; round < 2; round++) {
    const serverFlags = FLAGS.has | FLAGS.readOnly | FLAGS.multiConnection;
    const { index, path, servers } = attach({ control, index: 1, connections: 2, serverFlags });
    must("cmp", path, IMAGE);
    control.disconnect(index);
    await ended(servers);
    equal(waitUntilDisconnected(index), true);
  }
});

await check("an open descriptor keeps a disconnected device from being used again", async () => {
  const { index, path, servers } = attach({ control, index: 2 });
  const opener = Deno.openSync(path);
  control.disconnect(index);
  await ended(servers);
  equal(nbdDevice(index)?.connected, true);
  equal(errnoOf(() => attach({ control, index })), EBUSY);
  opener.close();
  equal(waitUntilDisconnected(index), true);
});

await check("nothing is left", () => {
  equal(connected(), []);
  equal(must("losetup", "-a"), "");
});
