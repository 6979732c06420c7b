/**
 * A machine whose root lies in an image, attached by an initramfs that initramfs-tools has made: it comes
 * up, serves all of its root without any of it, and leaves a clean image.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, rootTest, TempDirectory } from "../../support/tools.ts";
import { faultsOf, firstPartition, makeHostDisk, makeRootDisk, type RootDisk } from "./disks.ts";
import type { GuestOptions } from "./guest.ts";
import { made } from "./made.ts";
import { useGuest } from "./use_guest.ts";
import { VIRTIOFS_SERVER, VirtiofsServer } from "./virtiofs_server.ts";

const COMPRESSED: RootDisk = {
  partitioned: true,
  convert: ["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
};
const PLAIN: RootDisk = { convert: ["-O", "qcow2"] };
const IMAGE = "root.qcow2";
/** Of the file system that an image lies on. */
const HOST_UUID = "5a8cf5f3-7f0c-4a57-9c4b-0d2a1e6b7f10";

const TOOLS = ["qemu-system-x86_64", "mmdebstrap", VIRTIOFS_SERVER] as const;

interface Scene {
  readonly name: string;
  readonly disk: RootDisk;
  readonly words: readonly string[];
  /** What the guest has of the host; the image is in `share`, a folder in `folder`. */
  readonly place: (
    share: string,
    folder: TempDirectory,
    resources: AsyncDisposableStack,
  ) => Promise<Partial<GuestOptions>>;
  /** Where the image is afterwards. */
  readonly imageAfter: (share: string, folder: TempDirectory) => Promise<string>;
  /** Whether it is to be as it was. */
  readonly isKept?: boolean;
  readonly reboots?: boolean;
  readonly isKilledAtBoot?: boolean;
}

const imageAfter: Scene["imageAfter"] = (share) => Promise.resolve(`${share}/${IMAGE}`);
const SHARED: Pick<Scene, "place" | "imageAfter"> = {
  place: (share) => Promise.resolve({ shares: { images: share } }),
  imageAfter,
};

const SCENES: readonly Scene[] = [
  {
    name: "a compressed image on a 9p share, with an overlay in memory",
    disk: COMPRESSED,
    words: [
      ...["root=tslosetup", `tslosetup.image=9p:images:/${IMAGE}`, "tslosetup.partition=1"],
      "tslosetup.overlay=ram",
    ],
    ...SHARED,
    isKept: true,
  },
  {
    name: "an image on a 9p share that is written to, root found by its label",
    disk: PLAIN,
    words: ["root=LABEL=guestroot", `tslosetup.image=9p:images:/${IMAGE}`],
    ...SHARED,
    reboots: true,
    isKilledAtBoot: true,
  },
  {
    name: "an image on a virtiofs share, with an overlay beside it",
    disk: COMPRESSED,
    words: [
      ...["root=tslosetup", `tslosetup.image=virtiofs:images:/${IMAGE}`, "tslosetup.partition=1"],
      "tslosetup.overlay=/root.overlay",
    ],
    place: async (share, _folder, resources) => {
      const server = resources.use(await VirtiofsServer.start(share));
      return { more: server.emulatorArguments("images") };
    },
    imageAfter,
    isKept: true,
  },
  {
    name: "an image on a partition that is written to",
    disk: PLAIN,
    words: ["root=tslosetup", `tslosetup.image=UUID=${HOST_UUID}:/${IMAGE}`],
    place: async (share, folder) => {
      const content = { name: IMAGE, uuid: HOST_UUID };
      await makeHostDisk(folder.file("disk"), `${share}/${IMAGE}`, content);
      return { disks: [folder.file("disk")] };
    },
    imageAfter: async (_share, folder) => {
      const disk = firstPartition(folder.file("disk"));
      await must("e2fsck", "-f", "-n", disk);
      await must("debugfs", "-R", `dump /${IMAGE} ${folder.file("dumped")}`, disk);
      return folder.file("dumped");
    },
  },
  {
    name: "a disk that is the image",
    disk: PLAIN,
    words: ["root=tslosetup", "tslosetup.image=/dev/vda"],
    // The image needs room: its file as the disk would end where the image does so far.
    place: async (share, folder) => {
      await must("cp", `${share}/${IMAGE}`, folder.file("disk"));
      await must("truncate", "-s", "1G", folder.file("disk"));
      return { disks: [folder.file("disk")] };
    },
    imageAfter: (_share, folder) => Promise.resolve(folder.file("disk")),
  },
];

for (const scene of SCENES) {
  rootTest(`initramfs-tools: ${scene.name}`, TOOLS, async () => {
    using folder = new TempDirectory();
    const { kernel, root, initramfs } = await made("initramfs-tools");
    const share = folder.file("share");
    Deno.mkdirSync(share);
    await makeRootDisk(`${share}/${IMAGE}`, root, scene.disk);
    await using resources = new AsyncDisposableStack();
    const place = await scene.place(share, folder, resources);
    const before = await must("sha256sum", `${share}/${IMAGE}`);

    const console = await useGuest({ kernel, initramfs, words: scene.words, ...place }, scene);
    assertEquals(
      console.split("tslosetup: the root is detached").length - 1,
      scene.reboots ? 2 : 1,
    );
    if (scene.isKept) assertEquals(await must("sha256sum", `${share}/${IMAGE}`), before);
    assertEquals(await faultsOf(await scene.imageAfter(share, folder), scene.disk), []);
  });
}
