/**
 * The disks of a guest, and whether they are whole.
 *
 * @module
 */
import { must, run, TempDirectory } from "../../support/tools.ts";
import { ROOT_LABEL } from "./debian.ts";

/** Large enough for a root folder of every kind. */
const ROOT_MIB = 768;
const MIB = 2 ** 20;

const PARTITION = 'echo "1M,,L" | sfdisk -q "$1"';

/** What a guest's root is put into. */
export interface RootDisk {
  /** Whether the file system is the first partition of a disk, not all of it. */
  readonly partitioned?: boolean;
  /** As qemu-img's -O and further options have it. */
  readonly convert: readonly string[];
}

/** Writes a disk with a file system that has what is in a folder. */
export async function makeRootDisk(file: string, root: string, disk: RootDisk): Promise<void> {
  using folder = new TempDirectory();
  const raw = folder.file("raw");
  const startMib = disk.partitioned ? 1 : 0;
  await must("truncate", "-s", `${ROOT_MIB + 2 * startMib}M`, raw);
  const options = `offset=${startMib * MIB},root_owner=0:0`;
  await must("mkfs.ext4", "-q", "-L", ROOT_LABEL, "-E", options, "-d", root, raw, `${ROOT_MIB}M`);
  if (disk.partitioned) await must("sh", "-c", PARTITION, "sh", raw);
  await must("qemu-img", "convert", "-f", "raw", ...disk.convert, raw, file);
}

/** As e2fsck and debugfs name the file system in the disk's first partition. */
export function firstPartition(disk: string): string {
  return `${disk}?offset=${MIB}`;
}

/** Writes a disk that has nothing but a partition, whose file system has one file and that UUID. */
export async function makeHostDisk(
  file: string,
  content: string,
  { name, uuid }: { readonly name: string; readonly uuid: string },
): Promise<void> {
  using folder = new TempDirectory();
  await must("cp", "--sparse=always", content, folder.file(name));
  const sizeMib = Math.ceil(Deno.statSync(content).size / MIB) + 512;
  await must("truncate", "-s", `${sizeMib + 2}M`, file);
  const options = ["-q", "-U", uuid, "-E", `offset=${MIB}`, "-d", folder.path];
  await must("mkfs.ext4", ...options, file, `${sizeMib}M`);
  await must("sh", "-c", PARTITION, "sh", file);
}

/** What is wrong with a QCOW image, and with the file system in it; nothing, if all goes well. */
export async function faultsOf(image: string, disk: { partitioned?: boolean }): Promise<string[]> {
  const check = await run("qemu-img", "check", image);
  const faults = check.code === 0 ? [] : [`qemu-img check: ${check.stdout}${check.stderr}`];
  const info = await must("qemu-img", "info", image);
  if (/dirty|corrupt: true/.test(info)) faults.push(info);
  using folder = new TempDirectory();
  const raw = folder.file("raw");
  await must("qemu-img", "convert", "-O", "raw", image, raw);
  const place = disk.partitioned ? firstPartition(raw) : raw;
  const fsck = await run("e2fsck", "-f", "-n", place);
  if (fsck.code !== 0) faults.push(`e2fsck: ${fsck.stdout}${fsck.stderr}`);
  return faults;
}
