/**
 * What containers lack, and what has stayed in their /dev.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { deviceTest, FUSE } from "../fuse/device.ts";
import { BARE_DEV, NAMESPACE_TOOLS, WITHOUT_SYSFS } from "../../support/mount_namespace.ts";
import { Container } from "./container.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
/** A device that nobody has. */
const NOBODYS = "/dev/loop234";
/** As bwrap and podman mount it for who wants to see no more than processes. */
const BARE_PROC = "umount --lazy /proc && mount -t proc -o subset=pid proc /proc";

function containerTest(name: string, body: () => Promise<void>): void {
  deviceTest(name, NAMESPACE_TOOLS, body);
}

containerTest("an image is not read by a node that leads to another disk", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const other = await container.must("-f", "--show", folder.sparse("other", MIB));
  const [, number] = (await container.number(other)).split(":");
  const stale = `${other}p1`;
  await container.shell(
    `mknod ${stale} b 7 ${number}; ln -s ${stale} /dev/label; mount -o remount,bind,ro /dev`,
  );
  const reason = `the node ${stale} is not that of its device any more: it leads to ` +
    `${other.slice("/dev/".length)}\n`;
  for (const image of [stale, "/dev/label"]) {
    for (const options of [["-f"], ["-f", "-t", "QCOW"], ["--info"]]) {
      const { code, stdout, stderr } = await container.run(...options, image);
      assertEquals([code, stdout, stderr.endsWith(`: ${reason}`)], [1, "", true], stderr);
    }
  }
  assertEquals((await container.run("-d", other)).code, 0);
  assertEquals(folder.attached(), []);
});

containerTest("a device that there is not is no other one, whatever its node says", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start();
  const other = await container.must("-f", "--show", folder.sparse("other", MIB));
  const [, number] = (await container.number(other)).split(":");
  await container.shell(`mknod ${NOBODYS} b 7 ${number}`);
  for (const options of [["-d"], ["-c"], ["-l"], ["--direct-io=off"]]) {
    const { code, stdout, stderr } = await container.run(...options, NOBODYS);
    assertEquals([code, stdout], [1, ""], options.join());
    assertMatch(stderr, /^tslosetup: \/dev\/loop234: .*: No such device( or address)?\n$/);
  }
  assertEquals(folder.attached().map(({ path }) => path), [other]);
  // By a name that the kernel gives to nothing, it is.
  await container.shell(`mknod /dev/mine b 7 ${number}`);
  await container.must("-d", "/dev/mine");
  assertEquals(folder.attached(), []);
});

containerTest("the node of FUSE is made where it is missing", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start(`${BARE_DEV} && rm /dev/fuse`);
  const image = folder.sparse("disk", MIB);
  const { code, stdout } = await container.run(...FUSE, "-f", "--show", image);
  assertEquals(code, 0);
  await container.must("-d", stdout.trim());
  assertEquals(await container.number("/dev/fuse"), "10:229");
});

const USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"];

/** Why none can be made, if so: that can be switched off. */
function lackOfUserNamespaces(): string | undefined {
  const max = Deno.readTextFileSync("/proc/sys/user/max_user_namespaces").trim();
  return max === "0" ? "no user namespaces" : undefined;
}

deviceTest(
  "root of a user namespace sets up devices, changes them, and detaches them",
  NAMESPACE_TOOLS,
  async () => {
    using folder = new LoopFolder();
    await using container = await Container.start("true");
    const image = folder.sparse("disk", MIB);
    const must = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await container.runAs(USER_NAMESPACE, ...args);
      assertEquals([code, stderr.includes("not permitted")], [0, false], stderr);
      return stdout.trim();
    };
    for (const how of [["-r"], []]) {
      const device = await must(...FUSE, ...how, "-f", "--show", image);
      Deno.truncateSync(image, 2 * MIB);
      await must("-c", device);
      assertEquals(folder.attached().map(({ sectors }) => Number(sectors)), [2 * MIB / 512]);
      await must("-d", device);
      assertEquals(folder.attached(), []);
      Deno.truncateSync(image, MIB);
    }
  },
  { obstacle: lackOfUserNamespaces() },
);

containerTest("without a shell there is a device, whose daemon is not revived", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start("mount --bind /dev/null /bin/sh");
  const image = folder.sparse("disk", MIB);
  const { code, stdout } = await container.run(...FUSE, "-f", "--show", image);
  assertEquals(code, 0);
  await container.must("-d", stdout.trim());
  assertEquals(folder.attached(), []);
});

containerTest("without /sys and tables in /proc, nodes say which devices there are", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start(`${WITHOUT_SYSFS} && ${BARE_PROC}`);
  const image = folder.sparse("disk", MIB);
  const device = await container.must("-f", "--show", image);
  assertEquals(
    (await container.must("-l", "-n", "-O", "NAME,BACK-FILE", "--raw")).split("\n")
      .filter((line) => line.endsWith(image)),
    [`${device} ${image}`],
  );
  await container.must("-d", device);
  const { code, stdout, stderr } = await container.run("-P", "-f", "--show", image);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr,
    `tslosetup: ${image}: failed to set up loop device: ` +
      "neither /sys nor /proc/partitions is there, which tell of partitions\n",
  );
  assertEquals(folder.attached(), []);
});

containerTest("without /sys, a node of another device says nothing of its own one", async () => {
  using folder = new LoopFolder();
  await using container = await Container.start(`${BARE_DEV} && ${WITHOUT_SYSFS}`);
  const image = folder.sparse("one", MIB);
  const one = await container.must("-f", "--show", image);
  const two = await container.must("-f", "--show", folder.sparse("two", MIB));
  const [, number] = (await container.number(two)).split(":");
  await container.shell(`rm ${one}; mknod ${one} b 7 ${number}`);
  assertEquals((await container.must("-j", folder.file("two"))).split(":")[0], two);
  await container.must("-d", one);
  assertEquals(folder.attached().map(({ path }) => path), [two]);
});

containerTest(
  "two attaches at once among nodes that have stayed: each has its own disk",
  async () => {
    using folder = new LoopFolder();
    await using container = await Container.start();
    const names = ["one", "two"];
    for (const name of names) {
      Deno.writeTextFileSync(folder.sparse(name, MIB), name.padEnd(512));
      Deno.truncateSync(folder.file(name), MIB);
    }
    await container.shell(
      "for n in $(seq 0 63); do mknod /dev/loop${n} b 7 $((n ^ 1)); " +
        "mknod /dev/loop${n}p1 b 7 $((n ^ 1)); mknod /dev/nbd${n}p2 b 259 $n; done",
    );
    const attached = await Promise.all(
      names.map((name) => container.run(...FUSE, "-P", "-f", "--show", folder.file(name))),
    );
    assertEquals(
      attached.map(({ code }) => code),
      [0, 0],
      attached.map(({ stderr }) => stderr).join(),
    );
    const devices = attached.map(({ stdout }) => stdout.trim());
    for (const [index, device] of devices.entries()) {
      assertEquals(await container.shell(`head -c 3 ${device}`), names[index]);
    }
    assertEquals(await container.shell("ls /dev | grep -c '[0-9]p[0-9]' || true"), "0");
    await Promise.all(devices.map((device) => container.must("-d", device)));
  },
);
