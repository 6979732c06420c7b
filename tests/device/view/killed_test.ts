// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import { diskAttribute, diskNames, nodePath } from "../../../src/kernel/block_devices.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { ownCommand } from "../fuse/device.ts";
import { devicesBelow, listed, VIEW, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io", "strace"] as const;
/** Whatever makes something that could be left, or is a step towards that. */
const STEPS = ["ioctl", "fsopen", "fsconfig", "fsmount", "memfd_create"];
/** The one that has the view stay: before it, all has to go. */
const STAYS = "LOOP_SET_STATUS64";

/** An image with another one below it, of 8 MiB. */
async function makeChain(folder: TempDirectory): Promise<string> {
  const [base, image] = [folder.file("base"), folder.file("disk.qcow2")];
  await must("qemu-img", "create", "-q", "-f", "qcow2", base, "8M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 2M", base);
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image);
  return image;
}

viewTest("killed at any step, an attach leaves nothing", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeChain(folder);
  const log = folder.file("calls");
  const [program = "", ...words] = ownCommand();
  const attach = [program, ...words, ...VIEW, "-r", "-t", "QCOW", "--find", image];
  const strace = ["-qq", "-o", log, `--trace=${STEPS.join(",")}`];
  await must("strace", ...strace, ...attach);
  const points = killPoints(Deno.readTextFileSync(log));
  await must("losetup", "-d", await remaining(image) ?? "");
  let killed = 0;
  for (const { step, count } of points) {
    const inject = `--inject=${step}:signal=SIGKILL:when=${count}`;
    const { code } = await run("strace", ...strace, inject, ...attach);
    if (code !== 0) killed++;
    const device = await remaining(image);
    const where = `${step} number ${count}`;
    if (!Deno.readTextFileSync(log).includes(STAYS)) assertEquals(device, undefined, where);
    if (device === undefined) continue;
    // It stays as a whole.
    assertEquals(Deno.readFileSync(device)[1024 * 1024], 7, where);
    await must("losetup", "-d", device);
    assertEquals(await remaining(image), undefined, where);
  }
  // How many devices are tried before a free one is found differs.
  assertGreater(killed, Math.max(20, points.length - 8));
});

interface KillPoint {
  readonly step: string;
  /** Which of its calls it is. */
  readonly count: number;
}

/** The calls that make a view, all by the first thread, in their order. */
function killPoints(calls: string): KillPoint[] {
  const counts: Record<string, number> = {};
  return calls.split("\n").flatMap((line): KillPoint[] => {
    const step = /^(\w+)\(/.exec(line)?.[1];
    if (step === undefined) return [];
    counts[step] = (counts[step] ?? 0) + 1;
    return [{ step, count: counts[step] }];
  });
}

/** The device of the image that is left when the kernel has let go of all that was to go. */
async function remaining(image: string): Promise<string | undefined> {
  await eventually(
    () => devicesBelow().length === 0 || keptDevice(image) !== undefined,
    "what was to go to go",
  );
  const device = keptDevice(image);
  const program = asRoot();
  assertEquals((await program.must("-j", image, "-n", "-O", "NAME")).trim(), device ?? "");
  if (device !== undefined) {
    assertEquals((await listed(program, device))?.["transport"], "view");
  }
  return device;
}

/** The image's device that is not about to go with its last close. */
function keptDevice(image: string): string | undefined {
  const name = diskNames("loop").find((name) =>
    Number(name.slice("loop".length)) < 512 && diskAttribute(name, "loop/autoclear") === "0" &&
    diskAttribute(name, "loop/backing_file") === image
  );
  return name && nodePath(name);
}
