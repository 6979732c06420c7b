/**
 * What a disk consists of, as a list: the one answer of all images of its chain that a view of it, a
 * copy that shares its extents, or a table of targets can be made from.
 *
 * @module
 */
import { Run } from "../disk/runs.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { CompressionMethod } from "../image/decoding.ts";
import type { Mapping } from "../image/mapping.ts";
import type { ImageFile } from "../storage/image_file.ts";

/** What a run is made of. */
export const RunKind = {
  /** Reads as zeros. */
  Zero: 0,
  /** Bytes of a file, unchanged. */
  Plain: 1,
  /** Stored, but only a server can read it: compressed or encrypted. */
  Special: 2,
  /** Compressed, alone and from its beginning on; only in lists that tell it from what is special. */
  Packed: 3,
} as const;
export type RunKind = typeof RunKind[keyof typeof RunKind];

/** Runs that a list may have: at 40 bytes each, no more memory than a cache. */
export const MAX_RUNS = 4 * 1024 * 1024;
const FIRST_RUNS = 256;
const NO_FILE = -1;

/** The runs of a disk in their order, without gaps, joined as far as they can be. */
export class RunList {
  /** The files that plain runs can lie in. */
  readonly files: readonly ImageFile[];
  #count = 0;
  #startOfFirst = 0;
  #kinds = new Uint8Array(FIRST_RUNS);
  #starts = new Float64Array(FIRST_RUNS);
  #ends = new Float64Array(FIRST_RUNS);
  #fileNumbers = new Int32Array(FIRST_RUNS);
  #hostOffsets = new Float64Array(FIRST_RUNS);
  /** Of lists that tell what is packed. */
  #hostBytes: Uint32Array | undefined;
  #pieceBytes: Uint32Array | undefined;
  #methods: Uint8Array | undefined;

  constructor(files: readonly ImageFile[], { tellsPacked = false } = {}) {
    this.files = files;
    if (!tellsPacked) return;
    this.#hostBytes = new Uint32Array(FIRST_RUNS);
    this.#pieceBytes = new Uint32Array(FIRST_RUNS);
    this.#methods = new Uint8Array(FIRST_RUNS);
  }

  /** How many there are. */
  get length(): number {
    return this.#count;
  }

  kind(run: number): RunKind {
    return (this.#kinds[run] ?? RunKind.Zero) as RunKind;
  }

  /** Where a run begins in the disk. */
  start(run: number): number {
    return this.#starts[run] ?? 0;
  }

  /** Where it ends. */
  end(run: number): number {
    return this.#ends[run] ?? 0;
  }

  /** Plain, packed: which of {@link RunList.files} it lies in. */
  fileNumber(run: number): number {
    return this.#fileNumbers[run] ?? NO_FILE;
  }

  /** Plain: where it begins in its file. Packed: where its stored bytes do. */
  hostOffset(run: number): number {
    return this.#hostOffsets[run] ?? 0;
  }

  /** Packed: how many bytes are stored at most. */
  hostBytes(run: number): number {
    return this.#hostBytes?.[run] ?? 0;
  }

  /** Packed: how many bytes they are when decompressed; the run can be shorter. */
  pieceBytes(run: number): number {
    return this.#pieceBytes?.[run] ?? 0;
  }

  /** Packed: how. */
  method(run: number): CompressionMethod {
    return (this.#methods?.[run] ?? CompressionMethod.Deflate) as CompressionMethod;
  }

  /** Forgets them all; the next one that is added begins at `startBytes` of the disk. */
  restart(startBytes: number): void {
    this.#count = 0;
    this.#startOfFirst = startBytes;
  }

  /**
   * Adds a run that begins where the last one ends.
   *
   * @throws {RangeError} if there are too many
   */
  add(run: Run): void {
    const last = this.#count - 1;
    const start = last < 0 ? this.#startOfFirst : this.end(last);
    const kind = this.#kindOf(run, start);
    const isPlain = kind === RunKind.Plain;
    const isPacked = kind === RunKind.Packed;
    const stored = isPlain ? run.file : isPacked ? run.mapping.file : undefined;
    const file = stored === undefined ? NO_FILE : this.files.indexOf(stored);
    const hostOffset = stored === undefined ? 0 : run.hostOffset;
    const end = start + run.lengthBytes;
    const goesOn = last >= 0 && !isPacked && this.kind(last) === kind &&
      this.fileNumber(last) === file &&
      (!isPlain || this.hostOffset(last) + start - this.start(last) === hostOffset);
    if (goesOn) {
      this.#ends[last] = end;
      return;
    }
    const at = this.#room();
    this.#kinds[at] = kind;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#fileNumbers[at] = file;
    this.#hostOffsets[at] = hostOffset;
    if (isPacked) this.#setPacking(at, run.mapping);
  }

  #kindOf({ isZero, isCompressed, file, mapping }: Run, start: number): RunKind {
    if (isZero) return RunKind.Zero;
    if (file !== undefined) return this.files.includes(file) ? RunKind.Plain : RunKind.Special;
    const isPacked = this.#hostBytes !== undefined && isCompressed &&
      mapping.pieceStart === start && mapping.leastBytes === mapping.pieceBytes;
    return isPacked ? RunKind.Packed : RunKind.Special;
  }

  #setPacking(at: number, { hostBytes, pieceBytes, method }: Mapping): void {
    if (this.#hostBytes !== undefined) this.#hostBytes[at] = hostBytes;
    if (this.#pieceBytes !== undefined) this.#pieceBytes[at] = pieceBytes;
    if (this.#methods !== undefined) this.#methods[at] = method;
  }

  /** The place of one more run. */
  #room(): number {
    const at = this.#count;
    if (at === MAX_RUNS) throw new RangeError(`the disk has more than ${MAX_RUNS} runs`);
    if (at === this.#kinds.length) this.#grow();
    this.#count++;
    return at;
  }

  #grow(): void {
    const size = Math.min(this.#kinds.length * 2, MAX_RUNS);
    this.#kinds = grown(this.#kinds, new Uint8Array(size));
    this.#starts = grown(this.#starts, new Float64Array(size));
    this.#ends = grown(this.#ends, new Float64Array(size));
    this.#fileNumbers = grown(this.#fileNumbers, new Int32Array(size));
    this.#hostOffsets = grown(this.#hostOffsets, new Float64Array(size));
    if (this.#hostBytes !== undefined) {
      this.#hostBytes = grown(this.#hostBytes, new Uint32Array(size));
    }
    if (this.#pieceBytes !== undefined) {
      this.#pieceBytes = grown(this.#pieceBytes, new Uint32Array(size));
    }
    if (this.#methods !== undefined) this.#methods = grown(this.#methods, new Uint8Array(size));
  }
}

function grown<T extends Uint8Array | Float64Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** How to list runs. */
export interface Listing {
  readonly tellsPacked?: boolean;
  /** So many answers of the image are looked at. */
  readonly mostAnswers?: number;
}

/**
 * Lists the runs of a disk. Reads all of its tables, waiting for them. Holes of files count as what they
 * lie in: data.
 *
 * @throws {ImageFormatError} at a place where the metadata are damaged
 * @throws {RangeError} if there are too many runs
 */
export function listRuns(access: ImageAccess, listing: Listing = {}): RunList {
  const list = new RunList(access.files, listing);
  const run = new Run();
  run.seesHoles = false;
  const { sizeBytes } = access;
  let answersLeft = listing.mostAnswers ?? Infinity;
  for (let start = 0; start < sizeBytes; start += run.lengthBytes) {
    if (answersLeft-- === 0) throw new RangeError("the disk has too many tables");
    access.findRun(start, sizeBytes - start, run);
    list.add(run);
  }
  return list;
}
