/**
 * A machine whose root the kernel itself reads from an image: no process serves it.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { must, rootTest, TempDirectory } from "../../support/tools.ts";
import { makeRootDisk } from "./disks.ts";
import { Guest } from "./guest.ts";
import { made } from "./made.ts";
import { blockErrors, servers } from "./questions.ts";

const IMAGE = "root.qcow2";
/** Of what every file below /usr has, as somebody without the root itself sees it. */
const SUMS = "find usr -xdev -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";

rootTest("the root is a view", ["qemu-system-x86_64", "mmdebstrap"], async () => {
  using folder = new TempDirectory();
  const { kernel, root, initramfs } = await made("initramfs-tools");
  const share = folder.file("share");
  Deno.mkdirSync(share);
  const image = `${share}/${IMAGE}`;
  await makeRootDisk(image, root, { convert: ["-O", "qcow2"] });
  const before = await must("sha256sum", image);
  const words = [`tslosetup.image=9p:images:/${IMAGE}`, "tslosetup.options=-r", "ro"];

  await using guest = new Guest({ kernel, initramfs, words, shares: { images: share } });
  await guest.isUp();
  assertMatch(await guest.run("cat /sys/block/loop*/loop/backing_file"), /erofs|view/);
  assertEquals(await servers(guest), 0);
  await guest.run("echo 3 >/proc/sys/vm/drop_caches");
  assertEquals(await guest.run(`cd / && ${SUMS}`), await must("sh", "-c", `cd ${root} && ${SUMS}`));
  assertEquals(await blockErrors(guest), []);
  await guest.send("systemctl poweroff");
  await guest.hasEnded();
  assertMatch(guest.console, /tslosetup: the root is detached/);
  assertEquals(await must("sha256sum", image), before);
});
