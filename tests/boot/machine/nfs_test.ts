/**
 * A machine whose root lies in an image on an NFS server, also on one that sends names of owners: the
 * kernel then must not ask the root for what they mean.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { rootTest, TempDirectory } from "../../support/tools.ts";
import { faultsOf, makeRootDisk, type RootDisk } from "./disks.ts";
import { made, type Maker } from "./made.ts";
import { NFS_SERVER_TOOLS, NfsServer, type NfsServerOptions } from "./nfs_server.ts";
import { useGuest } from "./use_guest.ts";

const IMAGE = "root.qcow2";
const DISK: RootDisk = { convert: ["-O", "qcow2"] };

interface Scene {
  readonly maker: Maker;
  readonly owners: NfsServerOptions["owners"];
  readonly options?: string;
  readonly overlay?: "ram";
  /** How it is mounted in the end. */
  readonly version: RegExp;
}

const SCENES: readonly Scene[] = [
  { maker: "dracut", owners: "names", version: /nfs4 .*vers=4/ },
  { maker: "dracut", owners: "names", options: ",vers=3", overlay: "ram", version: /nfs .*vers=3/ },
  { maker: "initramfs-tools", owners: "names", version: /nfs4 .*vers=4/ },
  { maker: "initramfs-tools", owners: "numbers", options: ",vers=4.1", version: /nfs4 .*vers=4.1/ },
];

for (const scene of SCENES) {
  const { maker, owners, options = "", overlay } = scene;
  const name = `NFS by ${maker}, owners are ${owners}${options}`;
  rootTest(name, ["qemu-system-x86_64", "mmdebstrap", ...NFS_SERVER_TOOLS], async () => {
    using folder = new TempDirectory();
    const { kernel, root, initramfs } = await made(maker);
    const share = folder.file("share");
    Deno.mkdirSync(share);
    const image = `${share}/${IMAGE}`;
    await makeRootDisk(image, root, DISK);
    await using server = await NfsServer.start({ folder: share, owners });
    const words = [
      ...[`tslosetup.image=nfs:${server.share}:/${IMAGE}${options}`, "rw", "ip=dhcp"],
      ...overlay === undefined ? [] : [`tslosetup.overlay=${overlay}`],
    ];
    const { launcher } = server;
    const more = ["-nic", "user,model=virtio-net-pci"];
    await useGuest({ kernel, initramfs, words, launcher, more }, {
      look: async (guest) => {
        assertMatch(await guest.run("grep initramfs/tslosetup-source /proc/mounts"), scene.version);
        if (options === ",vers=3") return;
        assertMatch(await guest.run("grep id_resolver: /proc/keys"), /^\S+ *IR/);
        // Asked for anew: nobody has them, and nobody has been asked.
        const owner = await guest.run("sleep 4; stat -c %u /run/initramfs/tslosetup-source/*");
        if (owners === "names") assertEquals(owner, "4294967294\n");
      },
    });
    assertEquals(await faultsOf(image, DISK), []);
  });
}
