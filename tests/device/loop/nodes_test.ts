// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { deviceTest } from "../fuse/device.ts";
import { programCommand } from "../../support/program.ts";
import { type Output, run } from "../../support/tools.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
/** A container's /dev: nobody makes nodes in it. */
const BARE_DEV =
  "mount -t tmpfs none /mnt && cp -a /dev/null /dev/urandom /dev/loop-control /mnt && " +
  "mount --bind /mnt /dev";
const NO_MKNOD = ["setpriv", "--bounding-set=-mknod", "--inh-caps=-mknod"];

/** Runs the program where /dev has no node of any loop device. */
function inContainer(prefix: readonly string[], ...args: string[]): Promise<Output> {
  const words = [...prefix, ...programCommand(), ...args];
  return run("unshare", "--mount", "sh", "-c", `${BARE_DEV} && exec "$@"`, "sh", ...words);
}

deviceTest("a node that is missing is made", ["unshare", "mount"], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const { code, stdout, stderr } = await inContainer([], "-f", "--show", image);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(folder.attached().map(({ path }) => path), [stdout.trim()]);
});

deviceTest("a node that cannot be made is named", ["unshare", "mount", "setpriv"], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const { code, stderr } = await inContainer(NO_MKNOD, "-f", image);
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
