/**
 * Writes the metadata of a view: a file system whose only file is a disk.
 *
 * @module
 */
import {
  CHUNK_ENTRY,
  CHUNK_FORMAT_INDEXES,
  DEVICE_SLOT,
  DIRENT,
  FileType,
  FORMAT_EXTENDED,
  FORMAT_LAYOUT_SHIFT,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_DEVICE_TABLE,
  INODE,
  INODE_STEP_BYTES,
  InodeLayout,
  MAGIC,
  NO_BLOCK,
  SUPER_BLOCK,
  SUPER_OFFSET,
} from "./layout.ts";
import { ChunkSource, type ViewPlan } from "./plan.ts";

/** A folder's inode and entries lie in so many bytes, which no block boundary divides. */
const FOLDER_BYTES = 512;
const MAX_NAME_BYTES = 255;
const FOLDER_MODE = 0o040555;
const FILE_MODE = 0o100444;
const VOLUME_NAME = new TextEncoder().encode("tslosetup");

/** What the metadata are made of. */
export interface ViewParts {
  readonly plan: ViewPlan;
  /** Path of the file from the root, without a leading slash. */
  readonly path: string;
  /** Sizes of the devices of the plan's files, in bytes, and of the server's, if it is needed. */
  readonly deviceSizes: readonly number[];
  /** Which of the devices is the server's. */
  readonly serverDevice: number | undefined;
}

/** Where the parts of the metadata begin, in bytes. */
interface Places {
  readonly firstFolder: number;
  readonly inode: number;
  readonly chunks: number;
  readonly copies: number;
  readonly end: number;
}

/**
 * The metadata, whole but for the content of copied chunks.
 *
 * @throws {RangeError} if a name of the path is too long
 */
export class ViewMetadata {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #parts: ViewParts;
  readonly #names: readonly Uint8Array[];
  readonly #places: Places;
  readonly #blockBytes: number;

  constructor(parts: ViewParts) {
    this.#parts = parts;
    this.#names = parts.path.split("/").map((name) => new TextEncoder().encode(name));
    if (this.#names.some(({ length }) => length === 0 || length > MAX_NAME_BYTES)) {
      throw new RangeError(`${parts.path} has a name that no file system takes`);
    }
    this.#blockBytes = 2 ** parts.plan.blockBits;
    this.#places = placesOf(parts, this.#names.length);
    this.bytes = new Uint8Array(this.#places.end);
    this.#view = new DataView(this.bytes.buffer);
    this.#writeSuperBlock();
    this.#writeDeviceSlots();
    this.#names.forEach((_, depth) => this.#writeFolder(depth));
    this.#writeInode();
    this.#writeChunks();
  }

  /** Where in {@link bytes} the content of copied chunk number `index` of the plan belongs. */
  copyPosition(index: number): number {
    return this.#places.copies + index * 2 ** this.#parts.plan.chunkBits;
  }

  #writeSuperBlock(): void {
    const { plan, deviceSizes } = this.#parts;
    SUPER_BLOCK.write(this.#view, SUPER_OFFSET, {
      magic: MAGIC,
      blkszbits: plan.blockBits,
      root_nid: this.#nidOf(this.#places.firstFolder),
      inos: BigInt(this.#names.length + 1),
      blocks: this.bytes.length / this.#blockBytes,
      meta_blkaddr: this.#firstMetadataBlock,
      volume_name: padded(VOLUME_NAME, 16),
      feature_incompat: INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE,
      extra_devices: deviceSizes.length,
      devt_slotoff: (SUPER_OFFSET + SUPER_BLOCK.sizeBytes) / DEVICE_SLOT.sizeBytes,
    });
  }

  get #firstMetadataBlock(): number {
    return this.#places.firstFolder / this.#blockBytes;
  }

  #writeDeviceSlots(): void {
    this.#parts.deviceSizes.forEach((sizeBytes, index) => {
      const at = SUPER_OFFSET + SUPER_BLOCK.sizeBytes + index * DEVICE_SLOT.sizeBytes;
      const tag = padded(new TextEncoder().encode(`device ${index + 1}`), 64);
      const blocks = Math.min(Math.floor(sizeBytes / this.#blockBytes), NO_BLOCK - 1);
      DEVICE_SLOT.write(this.#view, at, { tag, blocks });
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
      DIRENT.write(this.#view, position, { nid, nameoff, file_type: type });
      this.bytes.set(name, start + nameoff);
      nameoff += name.length;
    });
    INODE.write(this.#view, at, {
      i_format: FORMAT_EXTENDED | InodeLayout.Inline << FORMAT_LAYOUT_SHIFT,
      i_mode: FOLDER_MODE,
      i_size: BigInt(nameoff),
      i_ino: depth + 1,
      i_nlink: isLast ? 2 : 3,
    });
  }

  #writeInode(): void {
    const { sizeBytes, chunkBits, blockBits } = this.#parts.plan;
    INODE.write(this.#view, this.#places.inode, {
      i_format: FORMAT_EXTENDED | InodeLayout.Chunks << FORMAT_LAYOUT_SHIFT,
      i_mode: FILE_MODE,
      i_size: BigInt(sizeBytes),
      i_u: chunkBits - blockBits | CHUNK_FORMAT_INDEXES,
      i_ino: this.#names.length + 1,
      i_nlink: 1,
    });
  }

  #writeChunks(): void {
    const { plan, serverDevice = 0 } = this.#parts;
    const { chunks } = this.#places;
    this.bytes.fill(0xff, chunks, chunks + plan.chunks * CHUNK_ENTRY.size);
    const chunkBytes = 2 ** plan.chunkBits;
    let copied = 0;
    plan.forEachChunk((chunk, source, hostOffset) => {
      const at = chunks + chunk * CHUNK_ENTRY.size;
      if (source === ChunkSource.Server) this.#setChunk(at, serverDevice, chunk * chunkBytes);
      else if (source === ChunkSource.Copy) this.#setChunk(at, 0, this.copyPosition(copied++));
      else this.#setChunk(at, source + 1, hostOffset);
    });
  }

  #setChunk(at: number, device: number, offset: number): void {
    this.#view.setUint16(at, 0, true);
    this.#view.setUint16(at + CHUNK_ENTRY.device, device, true);
    this.#view.setUint32(at + CHUNK_ENTRY.block, offset / this.#blockBytes, true);
  }
}

function placesOf({ plan, deviceSizes }: ViewParts, folders: number): Places {
  const blockBytes = 2 ** plan.blockBits;
  const slotsEnd = SUPER_OFFSET + SUPER_BLOCK.sizeBytes +
    deviceSizes.length * DEVICE_SLOT.sizeBytes;
  const firstFolder = roundUp(slotsEnd, Math.max(blockBytes, FOLDER_BYTES));
  const inode = firstFolder + folders * FOLDER_BYTES;
  const chunks = inode + INODE.sizeBytes;
  const copies = roundUp(chunks + plan.chunks * CHUNK_ENTRY.size, blockBytes);
  const copiedBytes = plan.copies.length * 2 ** plan.chunkBits;
  return { firstFolder, inode, chunks, copies, end: roundUp(copies + copiedBytes, 4096) };
}

function roundUp(value: number, unit: number): number {
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
