/**
 * What the file system of a view is made of, but for what its only file consists of.
 *
 * @module
 */
import { copiesFrom } from "./file_starts.ts";
import {
  Algorithm,
  DEVICE_SLOT,
  DIRENT,
  FileType,
  FORMAT_EXTENDED,
  FORMAT_LAYOUT_SHIFT,
  INCOMPAT_48BIT,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_COMPRESSION,
  INCOMPAT_DEVICE_TABLE,
  INODE,
  INODE_STEP_BYTES,
  InodeLayout,
  MAGIC,
  NO_BLOCK,
  SETTINGS,
  SUPER_BLOCK,
  SUPER_OFFSET,
} from "./layout.ts";

/** A folder's inode and entries lie in so many bytes, which no block boundary divides. */
const FOLDER_BYTES = 512;
const MAX_NAME_BYTES = 255;
const FOLDER_MODE = 0o040555;
const FILE_MODE = 0o100444;
const VOLUME_NAME = new TextEncoder().encode("tslosetup");
/** The whole image has a multiple of so many bytes. */
const IMAGE_UNIT_BYTES = 4096;

/** What there is to write. */
export interface FileSystemParts {
  /** Path of the file from the root, without a leading slash. */
  readonly path: string;
  readonly blockBits: number;
  /** Sizes of the devices besides the first one, in bytes. */
  readonly deviceSizes: readonly number[];
  /** Size of the file. */
  readonly sizeBytes: number;
  /** What the file consists of: chunks, or extents that can be compressed, and by what. */
  readonly layout: "chunks" | "extents";
  readonly algorithms?: ReadonlySet<Algorithm>;
  /** i_u of its inode. */
  readonly inodeUnion: number;
  /** So many bytes follow its inode, to be written by the caller. */
  readonly contentBytes: number;
  /** So many bytes, from the start of a block on, follow those. */
  readonly copiedBytes: number;
  /** As {@link copiesFrom}, if it matters where these begin. */
  readonly copiesUnitBytes?: number;
  /** Whether {@link FileSystem.bytes} end where the content begins. */
  readonly isHeadOnly?: boolean;
}

/** Where the parts begin, in bytes. */
interface Places {
  readonly slots: number;
  readonly firstFolder: number;
  readonly inode: number;
  readonly content: number;
  readonly copies: number;
  readonly end: number;
}

/**
 * A file system with one file.
 *
 * @throws {RangeError} if a name of the path is too long
 */
export class FileSystem {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly #parts: FileSystemParts;
  readonly #names: readonly Uint8Array[];
  readonly #places: Places;
  readonly #blockBytes: number;

  constructor(parts: FileSystemParts) {
    this.#parts = parts;
    this.#names = parts.path.split("/").map((name) => new TextEncoder().encode(name));
    if (this.#names.some(({ length }) => length === 0 || length > MAX_NAME_BYTES)) {
      throw new RangeError(`${parts.path} has a name that no file system takes`);
    }
    this.#blockBytes = 2 ** parts.blockBits;
    this.#places = placesOf(parts, this.#names.length);
    this.bytes = new Uint8Array(parts.isHeadOnly ? this.#places.content : this.#places.end);
    this.view = new DataView(this.bytes.buffer);
    this.#writeSuperBlock();
    this.#writeSettings();
    this.#writeDeviceSlots();
    this.#names.forEach((_, depth) => this.#writeFolder(depth));
    this.#writeInode();
  }

  /** Size of all of it. */
  get totalBytes(): number {
    return this.#places.end;
  }

  /** Where the content of the file begins, right behind its inode. */
  get contentPosition(): number {
    return this.#places.content;
  }

  /** Where the copied blocks begin. */
  get copiesPosition(): number {
    return this.#places.copies;
  }

  /**
   * Where the devices begin in the address space of all, that of the file system first, in blocks.
   * Extents lie in that space; chunks name their device.
   */
  get deviceAddresses(): readonly number[] {
    let end = this.#places.end / this.#blockBytes;
    const others = this.#parts.deviceSizes.map((sizeBytes) => {
      const start = end;
      end += Math.ceil(sizeBytes / this.#blockBytes);
      return start;
    });
    return [0, ...others];
  }

  get #isEncoded(): boolean {
    return this.#parts.layout === "extents";
  }

  #writeSuperBlock(): void {
    const { blockBits, deviceSizes } = this.#parts;
    const root = this.#nidOf(this.#places.firstFolder);
    const encoded = {
      feature_incompat: INCOMPAT_COMPRESSION | INCOMPAT_DEVICE_TABLE | INCOMPAT_48BIT,
      available_compr_algs: algorithmsOf(this.#parts).reduce((bits, one) => bits | 1 << one, 0),
      rootnid_8b: BigInt(root),
    };
    const chunked = {
      feature_incompat: INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE,
      root_nid: root,
    };
    SUPER_BLOCK.write(this.view, SUPER_OFFSET, {
      magic: MAGIC,
      blkszbits: blockBits,
      inos: BigInt(this.#names.length + 1),
      blocks: Math.min(this.#places.end / this.#blockBytes, NO_BLOCK),
      meta_blkaddr: this.#places.firstFolder / this.#blockBytes,
      volume_name: padded(VOLUME_NAME, 16),
      extra_devices: deviceSizes.length,
      devt_slotoff: this.#places.slots / DEVICE_SLOT.sizeBytes,
      ...(this.#isEncoded ? encoded : chunked),
    });
  }

  #writeSettings(): void {
    let at = SUPER_OFFSET + SUPER_BLOCK.sizeBytes;
    for (const algorithm of algorithmsOf(this.#parts)) {
      this.bytes.set(SETTINGS[algorithm], at);
      at += SETTINGS[algorithm].length;
    }
  }

  #writeDeviceSlots(): void {
    const addresses = this.deviceAddresses;
    this.#parts.deviceSizes.forEach((sizeBytes, index) => {
      const at = this.#places.slots + index * DEVICE_SLOT.sizeBytes;
      const tag = padded(new TextEncoder().encode(`device ${index + 1}`), 64);
      const blocks = Math.floor(sizeBytes / this.#blockBytes);
      if (!this.#isEncoded) {
        return DEVICE_SLOT.write(this.view, at, { tag, blocks_lo: Math.min(blocks, NO_BLOCK - 1) });
      }
      const address = addresses[index + 1] ?? 0;
      DEVICE_SLOT.write(this.view, at, {
        tag,
        blocks_lo: blocks >>> 0,
        blocks_hi: Math.floor(blocks / 2 ** 32),
        uniaddr_lo: address >>> 0,
        uniaddr_hi: Math.floor(address / 2 ** 32),
      });
    });
  }

  #nidOf(position: number): number {
    return (position - this.#places.firstFolder) / INODE_STEP_BYTES;
  }

  #positionOfFolder(depth: number): number {
    return this.#places.firstFolder + depth * FOLDER_BYTES;
  }

  /** The folder at `depth`, whose only entry is the next one, or the file. */
  #writeFolder(depth: number): void {
    const at = this.#positionOfFolder(depth);
    const isLast = depth === this.#names.length - 1;
    const next = isLast ? this.#places.inode : this.#positionOfFolder(depth + 1);
    const parent = this.#positionOfFolder(Math.max(0, depth - 1));
    const entries = [
      { name: Uint8Array.of(0x2e), at, type: FileType.Folder },
      { name: Uint8Array.of(0x2e, 0x2e), at: parent, type: FileType.Folder },
      {
        name: this.#names[depth] ?? new Uint8Array(),
        at: next,
        type: isLast ? FileType.File : FileType.Folder,
      },
    ].sort((one, other) => compareBytes(one.name, other.name));
    let nameoff = entries.length * DIRENT.sizeBytes;
    const start = at + INODE.sizeBytes;
    entries.forEach(({ name, at: target, type }, index) => {
      const nid = BigInt(this.#nidOf(target));
      const position = start + index * DIRENT.sizeBytes;
      DIRENT.write(this.view, position, { nid, nameoff, file_type: type });
      this.bytes.set(name, start + nameoff);
      nameoff += name.length;
    });
    INODE.write(this.view, at, {
      i_format: FORMAT_EXTENDED | InodeLayout.Inline << FORMAT_LAYOUT_SHIFT,
      i_mode: FOLDER_MODE,
      i_size: BigInt(nameoff),
      i_ino: depth + 1,
      i_nlink: isLast ? 2 : 3,
    });
  }

  #writeInode(): void {
    const { sizeBytes, inodeUnion } = this.#parts;
    const layout = this.#isEncoded ? InodeLayout.Compressed : InodeLayout.Chunks;
    INODE.write(this.view, this.#places.inode, {
      i_format: FORMAT_EXTENDED | layout << FORMAT_LAYOUT_SHIFT,
      i_mode: FILE_MODE,
      i_size: BigInt(sizeBytes),
      i_u: inodeUnion,
      i_ino: this.#names.length + 1,
      i_nlink: 1,
    });
  }
}

/** In the order of their numbers. */
function algorithmsOf({ algorithms = new Set() }: FileSystemParts): Algorithm[] {
  return [...algorithms].sort();
}

function placesOf(parts: FileSystemParts, folders: number): Places {
  const { blockBits, deviceSizes, contentBytes, copiedBytes, copiesUnitBytes } = parts;
  const blockBytes = 2 ** blockBits;
  const settingsBytes = algorithmsOf(parts)
    .reduce((sum, algorithm) => sum + SETTINGS[algorithm].length, 0);
  const superEnd = SUPER_OFFSET + SUPER_BLOCK.sizeBytes + settingsBytes;
  const slots = roundUp(superEnd, DEVICE_SLOT.sizeBytes);
  const slotsEnd = slots + deviceSizes.length * DEVICE_SLOT.sizeBytes;
  const firstFolder = roundUp(slotsEnd, Math.max(blockBytes, FOLDER_BYTES));
  const inode = firstFolder + folders * FOLDER_BYTES;
  const content = inode + INODE.sizeBytes;
  const contentEnd = content + contentBytes;
  const copies = copiesUnitBytes === undefined || copiedBytes === 0
    ? roundUp(contentEnd, blockBytes)
    : copiesFrom(contentEnd, copiesUnitBytes);
  const end = roundUp(copies + copiedBytes, IMAGE_UNIT_BYTES);
  return { slots, firstFolder, inode, content, copies, end };
}

/** `value`, or the next multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function padded(bytes: Uint8Array, lengthBytes: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(lengthBytes);
  result.set(bytes.subarray(0, lengthBytes));
  return result;
}

/** The order of names in a folder: that of their bytes. */
function compareBytes(one: Uint8Array, other: Uint8Array): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}
