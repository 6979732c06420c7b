/**
 * The chunks of an image, found by going through the file once: their headers lie among the data.
 *
 * @module
 */
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { PartStarts } from "../kit/parts.ts";
import { damaged, type Header } from "./header.ts";
import { CHUNK_HEADER, ChunkType, WORD_BYTES } from "./layout.ts";

/** So much is read at once, where headers lie close together. */
const WINDOW_BYTES = 65536;
/** Of a chunk in memory: three numbers. */
const CHUNK_MEMORY_BYTES = 24;

/** What a chunk's blocks are. */
export const ChunkKind = { Stored: 0, Pattern: 1, Zero: 2, Nothing: 3 } as const;
export type ChunkKind = typeof ChunkKind[keyof typeof ChunkKind];

/** Chunks of at least one block, by their numbers. */
export interface Chunks {
  readonly starts: PartStarts;
  /** Values of {@link ChunkKind}. */
  readonly kinds: Uint8Array;
  /** Where what is stored of them begins in the file. */
  readonly hostOffsets: Float64Array;
}

/** What goes along with it. */
export interface ReadMeans {
  readonly memory?: MemoryLimit | undefined;
  /** Is told of each checksum, and of how many blocks it is: all that are before it. */
  readonly onSum?: (sum: number, blocks: number) => void;
}

/**
 * Goes through all chunks.
 *
 * @throws {ImageFormatError} if one of them is damaged, or they are not the whole disk
 * @throws {RangeError} if they take too much memory
 * @throws {SystemError} if the file cannot be read
 */
export function readChunks(
  file: ImageFile,
  header: Header,
  { memory, onSum }: ReadMeans = {},
): Chunks {
  const { chunks, blockBytes, headerBytes } = header;
  memory?.reserveMemory(chunks * CHUNK_MEMORY_BYTES);
  const window = new Window(file);
  const sizes: number[] = [];
  const kinds = new Uint8Array(chunks);
  const hostOffsets = new Float64Array(chunks);
  let blocks = 0;
  let hostOffset = headerBytes;
  for (let number = 0; number < chunks; number++) {
    const chunk = chunkAt(window, hostOffset, { header, number });
    hostOffset += chunk.totalBytes;
    if (chunk.sum !== undefined) onSum?.(chunk.sum, blocks);
    if (chunk.blocks === 0) continue;
    blocks += chunk.blocks;
    kinds[sizes.length] = chunk.kind;
    hostOffsets[sizes.length] = chunk.storedOffset;
    sizes.push(chunk.blocks * blockBytes);
  }
  if (blocks !== header.blocks) {
    throw damaged(file.path, `the chunks have ${blocks} blocks, not ${header.blocks}`);
  }
  return { starts: new PartStarts(sizes), kinds, hostOffsets };
}

/** One chunk. */
interface Chunk {
  readonly kind: ChunkKind;
  readonly blocks: number;
  readonly storedOffset: number;
  readonly totalBytes: number;
  /** Of a checksum: what it is. */
  readonly sum: number | undefined;
}

function chunkAt(
  window: Window,
  hostOffset: number,
  { header, number }: { readonly header: Header; readonly number: number },
): Chunk {
  const { path, sizeBytes } = window.file;
  const fail = (message: string): never => {
    throw damaged(path, `chunk ${number + 1} of ${header.chunks} ${message}`, hostOffset);
  };
  const storedOffset = hostOffset + header.chunkHeaderBytes;
  if (storedOffset > sizeBytes) fail("is not in the file, which was cut off");
  const position = window.find(hostOffset, CHUNK_HEADER.sizeBytes);
  const { offsets } = CHUNK_HEADER;
  const type = window.view.getUint16(position + offsets.chunk_type, true);
  const blocks = window.view.getUint32(position + offsets.chunk_sz, true);
  const totalBytes = window.view.getUint32(position + offsets.total_sz, true);
  const storedBytes = storedBytesOf(type, blocks * header.blockBytes);
  if (storedBytes === undefined) return fail(`is of the unknown type 0x${type.toString(16)}`);
  if (header.chunkHeaderBytes + storedBytes !== totalBytes) fail(`cannot have ${totalBytes} bytes`);
  if (hostOffset + totalBytes > sizeBytes) fail("is not all in the file, which was cut off");
  const kind = type === ChunkType.raw
    ? ChunkKind.Stored
    : type === ChunkType.fill
    ? kindOfPattern(window, storedOffset)
    : ChunkKind.Nothing;
  if (type !== ChunkType.crc32) return { kind, blocks, storedOffset, totalBytes, sum: undefined };
  const sum = window.view.getUint32(window.find(storedOffset, WORD_BYTES), true);
  return { kind, blocks: 0, storedOffset, totalBytes, sum };
}

/** What is stored of a chunk; undefined if it is of no known type. */
function storedBytesOf(type: number, blocksBytes: number): number | undefined {
  switch (type) {
    case ChunkType.raw:
      return blocksBytes;
    case ChunkType.fill:
    case ChunkType.crc32:
      return WORD_BYTES;
    case ChunkType.dontCare:
      return 0;
    default:
      return undefined;
  }
}

function kindOfPattern(window: Window, hostOffset: number): ChunkKind {
  const position = window.find(hostOffset, WORD_BYTES);
  return window.view.getUint32(position) === 0 ? ChunkKind.Zero : ChunkKind.Pattern;
}

/** A part of the file, in memory. */
class Window {
  readonly file: ImageFile;
  readonly #buffer = new IoBuffer(WINDOW_BYTES);
  #start = 0;
  #end = 0;

  constructor(file: ImageFile) {
    this.file = file;
  }

  get view(): DataView {
    return this.#buffer.view;
  }

  /** Position of bytes of the file in {@link Window.view}. */
  find(hostOffset: number, lengthBytes: number): number {
    if (hostOffset < this.#start || hostOffset + lengthBytes > this.#end) {
      this.file.read(this.#buffer, 0, hostOffset, WINDOW_BYTES);
      this.#start = hostOffset;
      this.#end = hostOffset + WINDOW_BYTES;
    }
    return hostOffset - this.#start;
  }
}
