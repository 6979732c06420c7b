/**
 * Pieces of a disk that are stored compressed: decompressed as a whole, and kept for the next request.
 *
 * @module
 */
import type { DecodeJob, DecodeLane } from "../image/decoding.ts";
import { ImageFormatError } from "../image/errors.ts";
import { Extent, type MappedDisk, Mapping } from "../image/mapping.ts";
import { Attempt } from "../storage/attempt.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SystemError } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";
import type { IoBuffer } from "../sys/memory.ts";
import { PieceCache } from "./piece_cache.ts";
import type { PieceMemory, PieceSlots } from "./piece_memory.ts";
import type { Workbench } from "./workbench.ts";

/** A cache that holds so many pieces can be filled by other threads freely: it will not lose them soon. */
const PIECES_TO_DEFER = 32;
/** One that holds so many can be filled by them with a half of that at a time. */
const FEWEST_TO_DEFER = 4;
/** Of few and large pieces, a stream of reads has so many decompressed in advance. */
const LARGE_AHEAD = 2;
const NONE = -1;

/** What an unpacker works with. */
export interface Unpacking {
  readonly memory: PieceMemory;
  /** Upper bound of the cache, in bytes, but for the fewest pieces. */
  readonly cacheBytes: number;
  /** Other threads that can do it. */
  readonly decoding: DecodeLane | undefined;
  /** Name of the image's format, for errors. */
  readonly format: string;
}

/** A run of a piece that is to be read. */
export interface PieceRead {
  /** What the image has said of it: Packed. */
  readonly mapping: Mapping;
  readonly image: MappedDisk;
  readonly guestOffset: number;
  /** Where it goes to in the target. */
  readonly position: number;
  /** Whether the request wants something behind it, too. */
  readonly goesOn: boolean;
}

/** Decompresses pieces of one image, and keeps those that were used last, for all threads. */
export class Unpacker {
  readonly #libc = libc();
  readonly #with: Unpacking;
  readonly #workbench: Workbench;
  /** Undefined until this or another thread has had the first piece. */
  #cache: PieceCache | undefined;
  /** Pieces that other threads are decompressing, by where they begin. */
  readonly #deferred = new Map<number, DecodeJob>();
  /** A piece that another thread could not decompress. */
  #damaged = NONE;
  /** Where the piece that was read last begins and ends. */
  #lastStart = NONE;
  #lastEnd = NONE;
  readonly #ahead = new Mapping(new Attempt());

  /** @param workbench the thread's, for all its unpackers */
  constructor(unpacking: Unpacking, workbench: Workbench) {
    this.#with = unpacking;
    this.#workbench = workbench;
    this.#ahead.attempt.mayWait = false;
    this.#ahead.attempt.mayDefer = true;
  }

  /**
   * Reads the run that the run's mapping (Packed) describes to `target`.
   *
   * @returns false if something has to come first, which the mapping's attempt then says
   * @throws {ImageFormatError} if what is stored there is not a piece
   * @throws {SystemError} as {@link ImageFile.read}
   */
  read(run: PieceRead, target: IoBuffer): boolean {
    const { mapping, guestOffset, position } = run;
    const { pieceStart, pieceBytes } = mapping;
    let address = this.#find(pieceStart);
    if (address < 0) address = this.#load(mapping, run.goesOn);
    if (address < 0) return false;
    const from = address + guestOffset - pieceStart;
    this.#libc.memcpy(target.address + position, from, mapping.lengthBytes);
    this.#cache?.giveUp();
    if (pieceStart !== this.#lastStart) this.#followStream(run.image, pieceStart, pieceBytes);
    return true;
  }

  /** Address of the bytes of a piece, good until the next call of anything; -1 if not cached. */
  #find(pieceStart: number): number {
    const cache = this.#cache ?? this.#cacheOfOthers();
    return cache === undefined ? NONE : cache.find(pieceStart);
  }

  /** The cache, if another thread has put something into it first, or might have. */
  #cacheOfOthers(): PieceCache | undefined {
    const { reserved } = this.#with.memory;
    return reserved === undefined ? undefined : this.#cache = this.#cacheIn(reserved);
  }

  #cacheIn(slots: PieceSlots): PieceCache {
    return new PieceCache(slots, this.#workbench.spare);
  }

  /** Reads and decompresses a piece, or has another thread do so; returns its address as above. */
  #load(mapping: Mapping, goesOn: boolean): number {
    const { attempt, pieceStart } = mapping;
    const deferred = this.#deferred.get(pieceStart);
    if (deferred !== undefined && !attempt.mayWait) {
      attempt.awaited = deferred;
      return NONE;
    }
    const isLarge = this.#areFew(mapping.pieceBytes);
    const mayDefer = (attempt.mayDefer || goesOn || isLarge) && this.#canDefer(mapping);
    if (mayDefer && this.#defer(mapping)) return NONE;
    if (isLarge && this.#awaitAny(attempt)) return NONE;
    return this.#loadNow(mapping);
  }

  /** While a large piece is decompressed here, nobody would be served. */
  #awaitAny(attempt: Attempt): boolean {
    const [first] = this.#deferred.values();
    if (first === undefined || attempt.mayWait) return false;
    attempt.awaited = first;
    return true;
  }

  /** Whether the cache holds only some pieces like one of `pieceBytes`. */
  #areFew(pieceBytes: number): boolean {
    const { cacheBytes, memory } = this.#with;
    return cacheBytes < memory.slotBytesFor(pieceBytes) * PIECES_TO_DEFER;
  }

  #loadNow(mapping: Mapping): number {
    const { attempt, method, hostOffset, hostBytes, pieceStart, pieceBytes, leastBytes } = mapping;
    const input = this.#workbench.input(hostBytes);
    if (!attempt.read(fileOf(mapping), input, 0, hostOffset, hostBytes)) return NONE;
    const decompressor = this.#workbench.decompressor(method);
    const cache = this.#cache ??= this.#cacheIn(this.#with.memory.reserve(pieceBytes));
    // Another thread may have begun with it, or may even have done it, meanwhile.
    const address = cache.find(pieceStart);
    if (address >= 0) return address;
    const stored = input.bytes.subarray(0, hostBytes);
    let isDecompressed = false;
    try {
      const piece = cache.take(pieceStart, pieceBytes);
      isDecompressed = decompressor.decompress(stored, piece, leastBytes);
    } finally {
      if (!isDecompressed) cache.giveUp();
    }
    if (!isDecompressed) throw this.#cannotDecompress(mapping);
    return cache.keep(pieceStart);
  }

  #canDefer({ attempt, pieceStart, pieceBytes }: Mapping): boolean {
    if (attempt.mayWait || pieceStart === this.#damaged) return false;
    if (!this.#areFew(pieceBytes)) return true;
    const slots = this.#with.memory.slotsFor(pieceBytes);
    return slots >= FEWEST_TO_DEFER && this.#deferred.size < slots / 2;
  }

  /** Leaves a piece to another thread; false if none can take it. The attempt says what it waits for. */
  #defer(mapping: Mapping): boolean {
    const { attempt, method, hostOffset, hostBytes, pieceStart, pieceBytes, leastBytes } = mapping;
    const job = this.#with.decoding?.claim(hostBytes, pieceBytes);
    if (job === undefined) return false;
    let isRead = false;
    try {
      isRead = attempt.read(fileOf(mapping), job.input, 0, hostOffset, hostBytes);
    } finally {
      if (!isRead) job.release();
    }
    if (!isRead) return true;
    const onDone = (succeeded: boolean): void => {
      this.#deferred.delete(pieceStart);
      if (succeeded) this.#keep(pieceStart, job.output.bytes.subarray(0, pieceBytes));
      else this.#damaged = pieceStart;
    };
    const sizes = { storedBytes: hostBytes, decodedBytes: pieceBytes, leastBytes };
    if (!job.start({ method, ...sizes, onDone })) return false;
    this.#deferred.set(pieceStart, job);
    attempt.awaited = job;
    return true;
  }

  /** Keeps what another thread has decompressed. */
  #keep(pieceStart: number, bytes: Uint8Array): void {
    const cache = this.#cache ??= this.#cacheIn(this.#with.memory.reserve(bytes.length));
    if (cache.has(pieceStart)) return;
    cache.take(pieceStart, bytes.length).set(bytes);
    cache.keep(pieceStart);
    cache.giveUp();
  }

  /** If a stream of reads has come to a piece, it will want those that follow. */
  #followStream(image: MappedDisk, pieceStart: number, pieceBytes: number): void {
    const isStream = pieceStart === this.#lastEnd;
    this.#lastStart = pieceStart;
    this.#lastEnd = pieceStart + pieceBytes;
    if (!isStream) return;
    let next = this.#lastEnd;
    for (let ahead = this.#areFew(pieceBytes) ? LARGE_AHEAD : 1; ahead > 0; ahead--) {
      if (next < image.sizeBytes) next = this.#loadAhead(image, next);
    }
  }

  /**
   * Only if nothing has to be read for it but the piece itself, which another thread can take.
   *
   * @returns where the piece ends; Infinity where there is none
   */
  #loadAhead(image: MappedDisk, guestOffset: number): number {
    const mapping = this.#ahead;
    try {
      image.map(guestOffset, 1, mapping);
      if (mapping.kind !== Extent.Packed) return Infinity;
      const { pieceStart, pieceBytes } = mapping;
      const isThere = this.#deferred.has(pieceStart) || this.#cache?.has(pieceStart);
      if (!isThere && this.#canDefer(mapping)) this.#defer(mapping);
      return pieceStart + pieceBytes;
    } catch (error) {
      const isTold = error instanceof ImageFormatError || error instanceof SystemError;
      if (!isTold) throw error; // those are for whoever reads the piece
      return Infinity;
    }
  }

  /** Gives the memory back of everything that can be read again. */
  dropCache(): void {
    this.#cache?.clear();
  }

  #cannotDecompress({ file, hostOffset }: Mapping): ImageFormatError {
    const message = `the compressed cluster at 0x${hostOffset.toString(16)} cannot be decompressed`;
    return new ImageFormatError(this.#with.format, file?.path ?? "", message, hostOffset);
  }
}

function fileOf({ file }: Mapping): ImageFile {
  if (file === undefined) throw new Error("a compressed extent without a file");
  return file;
}
