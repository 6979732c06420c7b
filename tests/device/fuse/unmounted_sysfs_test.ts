/**
 * Images where /sys is not mounted: loop devices over FUSE need none, nbd devices do.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  FAKE_SYSFS,
  MountNamespace,
  NAMESPACE_TOOLS,
  WITHOUT_SYSFS,
} from "../../support/mount_namespace.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot } from "../../support/program.ts";
import { type Output, run, TempDirectory } from "../../support/tools.ts";
import { nothingBelow, viewTest } from "../view/view.ts";
import { deviceTest, isAttached, MIB } from "./device.ts";

const TOOLS = [...NAMESPACE_TOOLS, "qemu-img"] as const;
const PROGRAM = asRoot().command;

/** What is said of nbd devices, by what there is instead of sysfs. */
const NEEDS: Readonly<Record<string, string>> = {
  [WITHOUT_SYSFS]: "/sys is not mounted, and nbd devices need it",
  [FAKE_SYSFS]: "/sys/block is not the kernel's, and nbd devices need it",
};

async function make(folder: TempDirectory): Promise<string> {
  const image = folder.file("disk.qcow2");
  await run("qemu-img", "create", "-q", "-f", "qcow2", image, "8M");
  return image;
}

deviceTest(
  "without /sys an image gets a loop device over FUSE, from -f to -d",
  TOOLS,
  () => liveWithoutSysfs("fuse"),
);

deviceTest(
  "with an empty /sys/block an image gets a loop device over FUSE, from -f to -d",
  TOOLS,
  () => liveWithoutSysfs("fuse", FAKE_SYSFS),
);

viewTest("without /sys an image becomes a view, from -f to -d", TOOLS, async () => {
  await liveWithoutSysfs("view");
  await nothingBelow();
});

/** The life of a device without /sys. */
async function liveWithoutSysfs(transport: "fuse" | "view", how = WITHOUT_SYSFS): Promise<void> {
  const words = ["--transport", transport, "-r", "-t", "QCOW", "-f", "--show"];
  using folder = new TempDirectory();
  const image = await make(folder);
  await using chroot = await MountNamespace.make(how);
  const [command = "", ...prefix] = [...chroot.command(), ...PROGRAM];
  const must = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(command, ...prefix, ...args);
    assertEquals([code, stderr], [0, ""], args.join(" "));
    return stdout.trim();
  };
  const device = await must(...words, image);
  try {
    const columns = "NAME,BACK-FILE,FILE-FORMAT,SIZE,TRANSPORT";
    const listed = await must("--raw", "-n", "-O", columns);
    assertEquals(
      listed.split("\n").filter((line) => line.startsWith(`${device} `)),
      [`${device} ${image} QCOW ${8 * MIB} ${transport}`],
    );
    assertEquals(await must("-j", image), await must(device));
    assertEquals(await must("-L", ...words, image), device);
    await must("-c", device);
  } finally {
    await must("-d", device);
  }
  await eventually(() => !isAttached(device), `${device} to go`);
}

deviceTest("without /sys nbd devices are refused in one line", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await make(folder);
  for (const [how, need] of Object.entries(NEEDS)) await refuseNbd(image, { how, need });
});

async function refuseNbd(
  image: string,
  { how, need }: { readonly how: string; readonly need: string },
): Promise<void> {
  await using chroot = await MountNamespace.make(how);
  const [command = "", ...prefix] = [...chroot.command(), ...PROGRAM];
  const refused = async (...args: string[]): Promise<string> => {
    const result: Output = await run(command, ...prefix, ...args);
    assertEquals([result.code, result.stdout], [1, ""], args.join(" "));
    return result.stderr;
  };
  const failed = `tslosetup: ${image}: failed to set up loop device: ${need}`;
  assertEquals(
    await refused("--transport", "nbd", "-t", "QCOW", "-f", image),
    `${failed}; --transport fuse and --socket work without\n`,
  );
  assertEquals(await refused("-t", "QCOW", "/dev/nbd0", image), `${failed}\n`);
  assertEquals(await refused("-d", "/dev/nbd0"), `tslosetup: /dev/nbd0: detach failed: ${need}\n`);
  assertEquals(await refused("/dev/nbd0"), `tslosetup: failed: ${need}\n`);
}
