/**
 * The file system a FUSE session shows: one chain of folders, and at its end the virtual disk as a
 * file. The chain spells the image's own path, so that `losetup -l` names the image.
 *
 *     node 1 (root) ── var ── lib ── img.qcow2
 *                      2      3      4 = the disk
 *
 * @module
 */
import { ATTR, ROOT_NODE } from "./protocol.ts";

// linux/stat.h
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const FOLDER_MODE = S_IFDIR | 0o500;

export interface DiskFile {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
}

export class FuseTree {
  readonly #names: readonly Uint8Array[];
  readonly #disk: DiskFile;

  readonly #unitBytes: number;

  /**
   * @param path of the disk, as `diskPath` gives it
   * @param unitBytes the file ends with a whole unit; what is left of the disk is not shown
   */
  constructor(path: string, disk: DiskFile, unitBytes = 1) {
    this.#unitBytes = unitBytes;
    const parts = path.split("/").filter((part) => part !== "");
    if (parts.length === 0) throw new RangeError("a disk needs a name");
    this.#names = parts.map((part) => new TextEncoder().encode(part));
    this.#disk = disk;
  }

  /** Node of the disk's file. */
  get diskNode(): number {
    return ROOT_NODE + this.#names.length;
  }

  has(node: number): boolean {
    return node >= ROOT_NODE && node <= this.diskNode;
  }

  /** Node that `name` has in the folder `parent`; 0 if it has none. */
  lookUp(parent: number, name: Uint8Array): number {
    const only = this.#names[parent - ROOT_NODE];
    const isIt = only !== undefined && only.length === name.length &&
      only.every((byte, index) => byte === name[index]);
    return isIt ? parent + 1 : 0;
  }

  /** Writes the struct fuse_attr of a node. */
  writeAttributes(node: number, view: DataView, at: number): void {
    const isDisk = node === this.diskNode;
    const sizeBytes = isDisk ? this.#diskBytes() : 0;
    for (let offset = 0; offset < ATTR.size; offset += 8) view.setBigUint64(at + offset, 0n);
    view.setBigUint64(at + ATTR.inode, BigInt(node), true);
    view.setBigUint64(at + ATTR.bytes, BigInt(sizeBytes), true);
    view.setBigUint64(at + ATTR.blocks, BigInt(Math.ceil(sizeBytes / 512)), true);
    view.setUint32(at + ATTR.mode, isDisk ? this.#diskMode() : FOLDER_MODE, true);
    view.setUint32(at + ATTR.links, 1, true);
    view.setUint32(at + ATTR.blockSize, 4096, true);
  }

  #diskBytes(): number {
    return this.#disk.sizeBytes - this.#disk.sizeBytes % this.#unitBytes;
  }

  #diskMode(): number {
    return S_IFREG | (this.#disk.readOnly ? 0o400 : 0o600);
  }
}
