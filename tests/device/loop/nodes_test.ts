/**
 * Nodes in a container's /dev, which nobody keeps true.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { deviceTest } from "../fuse/device.ts";
import type { Program } from "../../support/packages.ts";
import { NAMESPACE_TOOLS } from "../../support/mount_namespace.ts";
import { asRoot } from "../../support/program.ts";
import { must } from "../../support/tools.ts";
import { Container } from "./container.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
const NO_MKNOD = ["setpriv", "--bounding-set=-mknod", "--inh-caps=-mknod"];
/** Devices that nobody else uses. */
const [FIRST, SECOND] = [232, 233];

/** Forgets the devices of these tests again. */
function ownDevices(folder: LoopFolder): AsyncDisposable {
  const paths = [FIRST, SECOND].map((number) => `/dev/loop${number}`);
  paths.forEach((path) => folder.adopt(path));
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      folder.clear();
      await asRoot().run("--remove", ...paths);
    },
  };
}

function nodeTest(name: string, tools: readonly Program[], body: () => Promise<void>): void {
  deviceTest(name, [...NAMESPACE_TOOLS, ...tools], body);
}

nodeTest("a node that is missing is made", [], async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const device = await container.must("-f", "--show", folder.sparse("disk", MIB));
  assertEquals(folder.attached().map(({ path }) => path), [device]);
});

nodeTest("a node that cannot be made is named", ["setpriv"], async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const { code, stderr } = await container.runAs(NO_MKNOD, "-f", folder.sparse("disk", MIB));
  assertEquals(code, 1);
  const [lost = "", reason = "", ...rest] = stderr.split("\n");
  assertMatch(
    lost,
    /^tslosetup: device node \/dev\/loop\d+ \(7:\d+\) is lost\. You may use mknod\(1\) to recover it\.$/,
  );
  assertEquals(reason, "tslosetup: cannot find an unused loop device: Operation not permitted");
  assertEquals(rest, [""]);
  assertEquals(folder.attached(), []);
});

nodeTest("the kernel is asked for the device of a node that it does not have yet", [], async () => {
  using folder = new LoopFolder();
  await using _devices = ownDevices(folder);
  await using container = await Container.start();
  const image = folder.sparse("disk", MIB);
  for (const node of [`/dev/loop${FIRST}`, `/dev/elsewhere/loop${SECOND}`]) {
    await container.shell(`mkdir -p /dev/elsewhere; mknod ${node} b 7 ${/\d+$/.exec(node)?.[0]}`);
    await container.must(node, image);
    assertEquals(folder.attached().map(({ path }) => path), [node.replace("elsewhere/", "")]);
    await container.must("-d", node);
    assertEquals(folder.attached(), []);
  }
});

nodeTest("a node of another device's number is not believed", [], async () => {
  using folder = new LoopFolder();
  await using _devices = ownDevices(folder);
  await using container = await Container.start();
  const [first, second] = [`/dev/loop${FIRST}`, `/dev/loop${SECOND}`];
  const wrong = `rm -f ${first}; mknod ${first} b 7 ${SECOND}`;
  await container.must(second, folder.sparse("second", MIB));
  await container.must(first, folder.sparse("first", MIB));
  await container.shell(wrong);
  assertEquals(
    (await container.must("-a")).split("\n").filter((line) => line.startsWith(first)),
    [`${first} (lost): []: (${folder.file("first")})`],
  );
  assertEquals(await container.number(first), `7:${SECOND}`, "a listing changes nothing");
  await container.must("-c", first);
  assertEquals(await container.number(first), `7:${FIRST}`);
  await container.shell(wrong);
  await container.must("-d", first);
  assertEquals(folder.attached().map(({ path }) => path), [second]);
  await container.shell(wrong);
  await container.must(first, folder.file("first"));
  assertEquals(folder.attached().map(({ path }) => path), [first, second]);
});

nodeTest("-d of a device whose node is lost", ["setpriv"], async () => {
  using folder = new LoopFolder();
  await using _devices = ownDevices(folder);
  await using container = await Container.start();
  const device = `/dev/loop${FIRST}`;
  await container.must(device, folder.sparse("disk", MIB));
  await container.shell(`rm ${device}`);
  const { code, stderr } = await container.runAs(NO_MKNOD, "-d", device);
  assertEquals([code, stderr.split("\n")], [1, [
    `tslosetup: ${device}: detach failed: Operation not permitted`,
    `tslosetup: device node ${device} (7:${FIRST}) is lost. You may use mknod(1) to recover it.`,
    "",
  ]]);
  await container.must("-d", device);
  assertEquals(folder.attached(), []);
});

nodeTest("nodes of partitions that have gone are removed, and nothing else is", [], async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const stale = ["/dev/loop0p1", `/dev/loop${FIRST}p12`, "/dev/nbd3p2"];
  const others = ["/dev/loop0p2", "/dev/loop0p3", "/dev/loop0p4", "/dev/loop0px", "/dev/sda1"];
  await container.shell(
    `for node in ${stale.join(" ")} /dev/loop0px /dev/sda1; do mknod $node b 259 4711; done; ` +
      "touch /dev/loop0p2; ln -s loop0px /dev/loop0p3; mknod /dev/loop0p4 c 259 4711",
  );
  const device = await container.must("-f", "--show", folder.sparse("disk", MIB));
  assertEquals(stale.filter((node) => container.has(node)), []);
  assertEquals(others.filter((node) => container.has(node)), others);
  await container.must("-d", device);
});

nodeTest("-d removes the nodes of the partitions that it removes", ["addpart"], async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const device = await container.must("-P", "-f", "--show", folder.sparse("disk", 4 * MIB));
  // As the kernel does where it can read partition tables.
  await must("addpart", device, "1", "2048", "2048");
  const node = `${device}p1`;
  const number = Deno.readTextFileSync(`/sys/class/block/${node.slice("/dev/".length)}/dev`).trim();
  await container.shell(
    `mknod ${node} b ${number.replace(":", " ")}; mknod ${device}p2 b 259 4711`,
  );
  await container.must("-d", await container.must("-f", "--show", folder.sparse("other", MIB)));
  assertEquals([container.has(node), container.has(`${device}p2`)], [true, false]);
  await container.must("-d", device);
  assertEquals(container.has(node), false);
});

nodeTest("a node that leads to another disk and cannot be removed is told of", [], async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const image = folder.sparse("disk", MIB);
  const device = await container.must("-f", "--show", image);
  await container.shell(`mknod ${device}p9 b 259 4711 && mount -o remount,bind,ro /dev`);
  const { code, stderr } = await container.run("-d", device);
  assertEquals([code, stderr], [
    0,
    `tslosetup: ${device}p9: warning: its partition has gone, and it may lead to another disk\n`,
  ]);
});
