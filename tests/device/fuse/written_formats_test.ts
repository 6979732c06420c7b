/**
 * File systems made and filled on devices of encrypted images, and of other formats than QCOW: qemu finds in the file what was
 * written to the device.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  createEncrypted,
  decryptByQemu,
  type EncryptedFormat,
  imageOptions,
  keyFileOf,
  PASSPHRASE,
  SECRET_OBJECT,
} from "../../support/encrypted.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { checksums, Device, deviceTest, MIB, writeFiles } from "./device.ts";

const SIZE = 96 * MIB;
const FAST = ["encrypt.key-secret=s", "encrypt.iter-time=10"];

interface WrittenKind {
  readonly name: string;
  /** As `-t` has it. */
  readonly format: string;
  /** What encrypts it, if anything does, and as qemu names it. */
  readonly encrypted?: { readonly format: EncryptedFormat; readonly options: readonly string[] };
  /** What is not encrypted, as qemu makes it. */
  readonly driver?: string;
  readonly options?: readonly string[];
}

const KINDS: readonly WrittenKind[] = [
  {
    name: "QCOW with LUKS",
    format: "QCOW",
    encrypted: { format: "qcow2", options: ["encrypt.format=luks", ...FAST] },
  },
  {
    name: "a LUKS volume",
    format: "LUKS",
    encrypted: { format: "luks", options: ["key-secret=s", "iter-time=10"] },
  },
  { name: "QCOW1", format: "QCOW1", driver: "qcow" },
  { name: "VDI", format: "VDI", driver: "vdi" },
  { name: "VHD", format: "VHD", driver: "vpc", options: ["-o", "force_size=on"] },
];

async function make(path: string, kind: WrittenKind): Promise<string[]> {
  const { encrypted, driver = "", options = [] } = kind;
  if (encrypted === undefined) {
    await must("qemu-img", "create", "-q", "-f", driver, ...options, path, `${SIZE}`);
    return [];
  }
  await createEncrypted(path, SIZE, encrypted);
  Deno.writeTextFileSync(keyFileOf(path), PASSPHRASE);
  return ["--key-file", keyFileOf(path)];
}

/** What qemu finds in the image, as a raw file. */
async function asRaw(path: string, kind: WrittenKind, raw: string): Promise<void> {
  const { encrypted, driver = "" } = kind;
  if (encrypted !== undefined) return await decryptByQemu(path, encrypted.format, raw);
  await must("qemu-img", "convert", "-f", driver, "-O", "raw", path, raw);
}

for (const kind of KINDS) {
  deviceTest(
    `ext4 made on ${kind.name} keeps its files, and qemu finds them`,
    ["qemu-img", "mkfs.ext4", "e2fsck", "fstrim", "mount", "cmp"],
    async () => {
      using folder = new TempDirectory();
      const [image, tree, mnt] = [folder.file("image"), folder.file("tree"), folder.file("mnt")];
      const keys = await make(image, kind);
      Deno.mkdirSync(tree);
      writeFiles(tree, 40 * MIB, 3);
      {
        await using device = await Device.attach(image, "-t", kind.format, ...keys);
        await must("mkfs.ext4", "-q", device.path);
        await device.mount(mnt);
        await must("cp", "-r", `${tree}/.`, mnt);
        await must("sh", "-c", `rm -r ${mnt}/folder1 && sync --file-system ${mnt}`);
        // Not every format can give anything back.
        await run("fstrim", mnt);
        await must("cp", "-r", `${tree}/folder1`, mnt);
        await device.unmount(mnt);
        await must("e2fsck", "-f", "-n", device.path);
        await device.detach();
        await device.gone();
      }
      if (kind.format === "QCOW") {
        const name = ["--image-opts", imageOptions(image, "qcow2")];
        await must("qemu-img", "check", ...SECRET_OBJECT, ...name);
      }
      if (kind.driver === "vdi") await must("qemu-img", "check", "-q", "-f", "vdi", image);
      const raw = folder.file("raw");
      await asRaw(image, kind, raw);
      await must("e2fsck", "-f", "-n", raw);
      await using device = await Device.attach(image, "-r", "-t", kind.format, ...keys);
      await must("cmp", raw, device.path);
      await device.mount(mnt, "-o", "ro");
      assertEquals(await checksums(mnt), await checksums(tree));
      await device.unmount(mnt);
    },
  );
}
