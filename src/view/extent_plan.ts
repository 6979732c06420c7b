/**
 * How a disk can be shown as a file in extents, of which the kernel itself decompresses those that are
 * compressed (Linux 6.15).
 *
 * What the kernel is not given, because it would read something else or nothing (fs/erofs, 6.18):
 * - a stream of zlib's that begins with a zero byte: leading zeros are padding there,
 * - frames of zstd's that do not say that they are the whole piece, or need a larger window than that,
 * - streams of other methods, or of a piece of which less may be stored than it is,
 * - streams of more than {@link MAX_EXTENT_BYTES}, and pieces of more,
 * - what lies in the last block of a file, if that is not whole: it is copied.
 *
 * @module
 */
import { CompressionMethod } from "../image/decoding.ts";
import {
  Algorithm,
  EXTENT,
  EXTENT_FORMAT_SHIFT,
  EXTENT_PARTIAL,
  MAX_EXTENT_BYTES,
  SHORT_EXTENT_BYTES,
} from "./layout.ts";
import { ChunkSource } from "./chunk_walker.ts";
import { MAX_COPIED_BYTES, MAX_METADATA_BYTES } from "./plan.ts";
import { RunKind, type RunList } from "./run_list.ts";
import { parseFrameHeader } from "../codec/zstd_frame.ts";

/** Blocks, and pages: extents begin at such offsets of the disk. */
export const EXTENT_BLOCK_BITS = 12;
const BLOCK_BYTES = 2 ** EXTENT_BLOCK_BITS;
/** Of what is not compressed: an extent is always read as a whole. */
const MAX_PLAIN_BYTES = 64 * 1024;
/** From so large files on, records are long. */
const LONG_BYTES = 2 ** 32;
const FIRST_EXTENTS = 256;

/** Stored bytes that are copied into the metadata. */
export interface CopiedBytes {
  /** Number of the file, where in it, and how many bytes. */
  readonly file: number;
  readonly hostOffset: number;
  readonly lengthBytes: number;
  /** Where they go, from the start of what is copied on. */
  readonly position: number;
}

/** Extents in their order, without gaps; each ends where the next one begins. */
export class ExtentPlan {
  readonly sizeBytes: number;
  readonly copies: CopiedBytes[] = [];
  /** How many of them the kernel decompresses, and how many are the server's. */
  packedExtents = 0;
  serverExtents = 0;
  /** How much of the disk is stored, and the server's part of that. */
  storedBytes = 0;
  servedBytes = 0;
  /** What it does that by. */
  readonly algorithms = new Set<Algorithm>();
  #count = 0;
  #copiedBytes = 0;
  #starts = new Float64Array(FIRST_EXTENTS);
  #sources = new Int32Array(FIRST_EXTENTS);
  #offsets = new Float64Array(FIRST_EXTENTS);
  #forms = new Uint32Array(FIRST_EXTENTS);

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  get length(): number {
    return this.#count;
  }

  /** Size of each one's record. */
  get recordBytes(): number {
    return this.sizeBytes < LONG_BYTES ? SHORT_EXTENT_BYTES : EXTENT.sizeBytes;
  }

  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /** Where an extent begins in the disk. */
  start(extent: number): number {
    return this.#starts[extent] ?? 0;
  }

  /** Number of the file it is stored in, or one of {@link ChunkSource}. */
  source(extent: number): number {
    return this.#sources[extent] ?? ChunkSource.Zero;
  }

  /** Where its stored bytes begin there. */
  offset(extent: number): number {
    return this.#offsets[extent] ?? 0;
  }

  /** What the kernel calls plen: how many bytes are stored, and how. 0 for a hole. */
  form(extent: number): number {
    return this.#forms[extent] ?? 0;
  }

  /** @throws {RangeError} if there are too many */
  add(start: number, source: number, offset: number, form: number): void {
    const at = this.#count++;
    if (this.#count * this.recordBytes > MAX_METADATA_BYTES) {
      throw new RangeError("the disk has too many clusters for a view");
    }
    if (at === this.#starts.length) this.#grow();
    this.#starts[at] = start;
    this.#sources[at] = source;
    this.#offsets[at] = offset;
    this.#forms[at] = form;
  }

  /** Has stored bytes copied; -1 if there are too many, else where they lie among the copied ones. */
  copy(file: number, hostOffset: number, lengthBytes: number): number {
    if (this.#copiedBytes + lengthBytes > MAX_COPIED_BYTES) return -1;
    const position = this.#copiedBytes;
    this.copies.push({ file, hostOffset, lengthBytes, position });
    this.#copiedBytes += Math.ceil(lengthBytes / BLOCK_BYTES) * BLOCK_BYTES;
    return position;
  }

  #grow(): void {
    const size = this.#starts.length * 2;
    this.#starts = grown(this.#starts, new Float64Array(size));
    this.#sources = grown(this.#sources, new Int32Array(size));
    this.#offsets = grown(this.#offsets, new Float64Array(size));
    this.#forms = grown(this.#forms, new Uint32Array(size));
  }
}

function grown<T extends Float64Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** What {@link planExtents} has to know besides the runs. */
export interface ExtentQuestions {
  readonly sizeBytes: number;
  /** Of the list's files, in bytes. */
  readonly fileSizes: readonly number[];
  /** Reads {@link MAX_FRAME_HEADER_BYTES} of a file; the next answer takes the place of this one. */
  readonly headAt: (file: number, hostOffset: number) => Uint8Array;
}

/**
 * Plans extents.
 *
 * @param runs a list that tells what is packed
 * @returns undefined if that is of no use: nothing is packed that the kernel could decompress, or some
 *   run does not begin with a block
 * @throws {RangeError} if there are too many
 */
export function planExtents(runs: RunList, questions: ExtentQuestions): ExtentPlan | undefined {
  const planner = new ExtentPlanner(runs, questions);
  for (let run = 0; run < runs.length; run++) {
    if (runs.start(run) % BLOCK_BYTES !== 0) return undefined;
    planner.addRun(run);
  }
  return planner.plan.packedExtents === 0 ? undefined : planner.plan;
}

class ExtentPlanner {
  readonly plan: ExtentPlan;
  readonly #runs: RunList;
  readonly #headAt: ExtentQuestions["headAt"];
  /** Of each file, where its last whole block ends. */
  readonly #fileEnds: readonly number[];

  constructor(runs: RunList, { sizeBytes, fileSizes, headAt }: ExtentQuestions) {
    this.plan = new ExtentPlan(sizeBytes);
    this.#runs = runs;
    this.#headAt = headAt;
    this.#fileEnds = fileSizes.map((size) => Math.floor(size / BLOCK_BYTES) * BLOCK_BYTES);
  }

  addRun(run: number): void {
    if (this.#runs.kind(run) !== RunKind.Zero) {
      this.plan.storedBytes += this.#runs.end(run) - this.#runs.start(run);
    }
    switch (this.#runs.kind(run)) {
      case RunKind.Zero:
        return this.plan.add(this.#runs.start(run), ChunkSource.Zero, 0, 0);
      case RunKind.Plain:
        return this.#addPlain(run);
      case RunKind.Packed:
        return this.#addPacked(run);
      case RunKind.Special:
        return this.#addServed(this.#runs.start(run), this.#runs.end(run));
    }
  }

  #addPlain(run: number): void {
    const [start, end] = [this.#runs.start(run), this.#runs.end(run)];
    const hostOffset = this.#runs.hostOffset(run);
    const file = this.#runs.fileNumber(run);
    if (hostOffset % BLOCK_BYTES !== 0) return this.#addServed(start, end);
    for (let at = start; at < end; at += MAX_PLAIN_BYTES) {
      const pieceEnd = Math.min(at + MAX_PLAIN_BYTES, end);
      const stored = wholeBlocks(pieceEnd - at);
      const place = this.#placeOf(file, hostOffset + at - start, stored);
      if (place === undefined) this.#addServed(at, pieceEnd);
      else this.plan.add(at, place.source, place.offset, stored);
    }
  }

  /** Where a stream ends is not known exactly: "partial" keeps the kernel from looking for its end. */
  #addPacked(run: number): void {
    const [start, end] = [this.#runs.start(run), this.#runs.end(run)];
    const stored = this.#runs.hostBytes(run);
    const place = this.#isDecodable(run)
      ? this.#placeOf(this.#runs.fileNumber(run), this.#runs.hostOffset(run), stored)
      : undefined;
    if (place === undefined) return this.#addServed(start, end);
    const isDeflate = this.#runs.method(run) === CompressionMethod.Deflate;
    const algorithm = isDeflate ? Algorithm.Deflate : Algorithm.Zstd;
    const form = (stored | EXTENT_PARTIAL | (algorithm + 1) << EXTENT_FORMAT_SHIFT) >>> 0;
    this.plan.algorithms.add(algorithm);
    this.plan.add(start, place.source, place.offset, form);
    this.plan.packedExtents++;
  }

  #isDecodable(run: number): boolean {
    if (this.#runs.hostBytes(run) > MAX_EXTENT_BYTES) return false;
    if (this.#runs.pieceBytes(run) > MAX_EXTENT_BYTES) return false;
    switch (this.#runs.method(run)) {
      case CompressionMethod.Deflate:
        return this.#headOf(run)[0] !== 0;
      case CompressionMethod.Zstd:
        return this.#isUsualFrame(run);
      default:
        return false;
    }
  }

  /** A frame of the whole piece, as qemu writes it, for which the kernel has set enough memory aside. */
  #isUsualFrame(run: number): boolean {
    const header = parseFrameHeader(this.#headOf(run));
    return header !== undefined && !header.needsDictionary &&
      header.windowBytes <= MAX_EXTENT_BYTES && header.contentBytes === this.#runs.pieceBytes(run);
  }

  #headOf(run: number): Uint8Array {
    return this.#headAt(this.#runs.fileNumber(run), this.#runs.hostOffset(run));
  }

  /** Where the kernel finds stored bytes: in their file, or copied; undefined if it cannot. */
  #placeOf(
    file: number,
    hostOffset: number,
    stored: number,
  ): { source: number; offset: number } | undefined {
    if (hostOffset + stored <= (this.#fileEnds[file] ?? 0)) {
      return { source: file, offset: hostOffset };
    }
    const position = this.plan.copy(file, hostOffset, stored);
    return position < 0 ? undefined : { source: ChunkSource.Copy, offset: position };
  }

  #addServed(start: number, end: number): void {
    this.plan.servedBytes += end - start;
    for (let at = start; at < end; at += MAX_PLAIN_BYTES) {
      const stored = wholeBlocks(Math.min(MAX_PLAIN_BYTES, end - at));
      this.plan.add(at, ChunkSource.Server, at, stored);
      this.plan.serverExtents++;
    }
  }
}

function wholeBlocks(lengthBytes: number): number {
  return Math.ceil(lengthBytes / BLOCK_BYTES) * BLOCK_BYTES;
}
