/**
 * A machine whose root lies in an image, attached by an initramfs that dracut has made.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { rootTest, TempDirectory } from "../../support/tools.ts";
import { faultsOf, makeRootDisk, type RootDisk } from "./disks.ts";
import { made } from "./made.ts";
import { useGuest } from "./use_guest.ts";

const IMAGE = "root.qcow2";

interface Scene {
  readonly name: string;
  readonly disk: RootDisk;
  readonly words: readonly string[];
  readonly reboots?: boolean;
  readonly isKilledAtBoot?: boolean;
}

const SCENES: readonly Scene[] = [
  {
    name: "a compressed image on a 9p share, with an overlay in memory",
    disk: { convert: ["-O", "qcow2", "-c"] },
    words: [`tslosetup.image=9p:images:/${IMAGE}`, "tslosetup.overlay=ram", "rw"],
  },
  {
    name: "a partition in an image on a 9p share that is written to",
    disk: { partitioned: true, convert: ["-O", "qcow2"] },
    words: [
      ...["root=tslosetup", `tslosetup.image=9p:images:/${IMAGE}`, "tslosetup.partition=1"],
      ...["ro", "rootfstype=ext4"],
    ],
    reboots: true,
    isKilledAtBoot: true,
  },
];

for (const scene of SCENES) {
  rootTest(`dracut: ${scene.name}`, ["qemu-system-x86_64", "mmdebstrap"], async () => {
    using folder = new TempDirectory();
    const { kernel, root, initramfs } = await made("dracut");
    const share = folder.file("share");
    Deno.mkdirSync(share);
    await makeRootDisk(`${share}/${IMAGE}`, root, scene.disk);
    const options = { kernel, initramfs, words: scene.words, shares: { images: share } };
    const console = await useGuest(options, scene);
    assertEquals(
      console.split("tslosetup: the root is detached").length - 1,
      scene.reboots ? 2 : 1,
    );
    assertEquals(await faultsOf(`${share}/${IMAGE}`, scene.disk), []);
  });
}
