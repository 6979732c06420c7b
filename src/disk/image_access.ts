/**
 * Guest I/O on an open image: asks the driver where the bytes are or may go, and moves them.
 *
 * Nothing here waits for a disk unless it is told that it may: what would have to, fails and says what
 * it needs, and is tried again when that is there.
 *
 * @module
 */
import { cachesAtDepth, type CacheSizes } from "../image/cache_sizes.ts";
import type { ArrivalMeans, Arriving } from "../image/arriving.ts";
import type { DecodeLane } from "../image/decoding.ts";
import type { Image } from "../image/driver.ts";
import type { SnapshotChange } from "../image/snapshot_change.ts";
import type { Writers } from "../image/writing.ts";
import type { Attempt } from "../storage/attempt.ts";
import type { ImageFile, SharedFile } from "../storage/image_file.ts";
import { type SharedSpool, SpoolFile } from "../storage/spool_file.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import type { IoBuffer } from "../sys/memory.ts";
import type { Change } from "./change.ts";
import { ChangeJournal, type KeptChanges } from "./change_journal.ts";
import { growDisk } from "./growth.ts";
import { findRun, type Run } from "./runs.ts";
import { PieceMemory } from "./piece_memory.ts";
import { Reader, type ReadRequest } from "./reader.ts";
import { SecuredBytes } from "./secured_bytes.ts";
import type { Unpacking } from "./unpacker.ts";
import type { SyncRound } from "./sync_round.ts";
import { UpdateRound } from "./update_round.ts";
import { type Window, type WindowLimits, windowOf } from "./window.ts";
import { Writer } from "./writer.ts";

/** The window that is wanted, and what there may be besides the image itself. */
export interface AccessParts extends WindowLimits {
  /** The images below it, from its backing image on. */
  readonly images?: readonly Image[];
  /** What the user had better know of them. */
  readonly warnings?: readonly string[];
  /** Names of the formats of all of them, its own first. */
  readonly formats?: readonly string[];
  /** Finds out whether one of them is encrypted, be there anything encrypted in it or not. */
  readonly isEncrypted?: () => boolean;
  /** Finds out how large the smallest clusters of all of them are, in bytes; Infinity without any. */
  readonly clusterBytes?: () => number;
  /** How many images lie above the one that was asked for; 0 by default. */
  readonly layersAbove?: number;
  /** Threads that decompress for this one. */
  readonly decoding?: DecodeLane | undefined;
  readonly cacheSizes?: Partial<CacheSizes>;
  /** {@link ImageAccess.sharedPieces} of the thread that has opened the image first. */
  readonly pieces?: readonly SharedArrayBuffer[];
  /** What outlives the daemon of the changes that are made. */
  readonly kept?: KeptChanges | undefined;
}

/** Changes that outlive the daemon. */
export interface Kept {
  readonly journal: ChangeJournal;
  readonly bytes: SecuredBytes;
}

/**
 * Reads and changes a window of an image. All offsets are relative to the window, and the caller has
 * checked that each range lies inside it.
 */
export class ImageAccess implements Disposable {
  readonly image: Image;
  /** Whether some file cannot say what is cached: every read that may not wait is blocked then. */
  readonly cannotTellCached: boolean;
  /** What the user had better know of the image and those below it. */
  readonly warnings: readonly string[];
  /** Changes that outlive the daemon, if any do: of an image that is written to. */
  readonly kept: Kept | undefined;
  #window: Window;
  readonly #files: readonly ImageFile[];
  readonly #parts: AccessParts;
  /** By depth. */
  readonly #memories = new Map<number, PieceMemory>();
  readonly #reader: Reader;
  readonly #writer: Writer | undefined;
  readonly #round: UpdateRound | undefined;
  readonly #arriving: readonly Arriving[];

  /**
   * @param files every file the image reads from, its own first, then those of its backing images
   * @throws {RangeError} if the window would lie past the end of the disk
   */
  constructor(image: Image, files: readonly ImageFile[], parts: AccessParts) {
    this.image = image;
    this.warnings = [...image.warnings ?? [], ...parts.warnings ?? []];
    this.#parts = parts;
    this.#window = windowOf(image.sizeBytes, parts);
    this.#files = files;
    this.cannotTellCached = files.some((file) => file.cacheKnowledge === "unknown");
    this.#arriving = this.#images.flatMap(({ arriving }) => arriving ?? []);
    this.#reader = new Reader(image, (depth) => this.#unpackingAt(depth));
    const { writing } = image;
    if (writing === undefined) return;
    const reader = this.#reader;
    const old = {
      get sizeBytes(): number {
        return image.sizeBytes;
      },
      reader,
    };
    this.kept = parts.kept && {
      journal: new ChangeJournal(parts.kept, files),
      bytes: new SecuredBytes(parts.kept),
    };
    const journal = this.kept?.journal;
    this.#writer = new Writer(writing, old, journal);
    this.#round = new UpdateRound(writing, journal);
  }

  get window(): Window {
    return this.#window;
  }

  /** Size of the window in bytes. */
  get sizeBytes(): number {
    return this.#window.sizeBytes;
  }

  /** Path of the image's own file. */
  get path(): string {
    return this.#files[0]?.path ?? "";
  }

  /** Canonical names of the formats of the image, and of those below it, in their order. */
  get formats(): readonly string[] {
    return this.#parts.formats ?? [];
  }

  /** As {@link AccessParts.isEncrypted}. */
  get isEncrypted(): boolean {
    return this.#parts.isEncrypted?.() === true;
  }

  /** As {@link AccessParts.clusterBytes}. */
  get clusterBytes(): number {
    return this.#parts.clusterBytes?.() ?? Infinity;
  }

  /** As {@link Image.sectorBytes}, of the topmost of its images that says so. */
  get prescribedSectorBytes(): number | undefined {
    return this.#images.find(({ sectorBytes }) => sectorBytes !== undefined)?.sectorBytes;
  }

  get readOnly(): boolean {
    return this.#writer === undefined;
  }

  /** How many threads may serve the image at the same time. */
  get writers(): Writers {
    return this.image.writing?.writers ?? "any";
  }

  /** What a flush has to make durable. */
  get filesToSync(): readonly ImageFile[] {
    return this.image.writing?.files ?? [];
  }

  /** Whether some of what has been written may never reach the disk. */
  get hasLost(): boolean {
    return this.filesToSync.some((file) => file.hasLost);
  }

  /** What makes changes durable; undefined if there are none. */
  get round(): SyncRound | undefined {
    return this.#round;
  }

  /** Whether it is not known where the next byte goes to, without asking tables. */
  get hasTables(): boolean {
    return this.image.writing?.tables !== undefined;
  }

  /** Whether the next sync makes a change durable that has been made: as {@link Tables.isRecorded}. */
  isRecorded({ offset, lengthBytes }: Change): boolean {
    const { tables } = this.image.writing ?? {};
    return tables === undefined ||
      tables.isRecorded(this.#window.startBytes + offset, lengthBytes);
  }

  /** Whether tables have been changed, and not been written since. */
  get hasUpdates(): boolean {
    return this.image.writing?.tables?.hasUpdates === true ||
      this.kept?.journal.hasRecords === true && !this.hasLost;
  }

  /** Whether so much has been changed that it had better be written now. */
  get wantsFlush(): boolean {
    return this.image.writing?.tables?.wantsFlush === true ||
      this.kept?.journal.isCrowded === true && !this.hasLost;
  }

  /** As {@link Tables.wantsFlushSoon}. */
  get wantsFlushSoon(): boolean {
    return this.image.writing?.tables?.wantsFlushSoon === true;
  }

  /** As {@link Tables.freeSome}. */
  freeSome(): boolean {
    return this.image.writing?.tables?.freeSome() === true;
  }

  /** All files the image reads from: its own first, then those below it. */
  get files(): readonly ImageFile[] {
    return this.#files;
  }

  /** The open files, for another thread to open the image once more. */
  get sharedFiles(): (SharedFile & Partial<SharedSpool>)[] {
    return this.#files.map((file) => {
      const { fd, path, sizeBytes } = file;
      const spool = file instanceof SpoolFile && { progress: file.progress };
      return { fd, path, sizeBytes, ...spool };
    });
  }

  /**
   * Has the content of its images come that is not there: see {@link Arriving.begin}, which also says what it
   * throws.
   *
   * @throws {RangeError} likewise if the window would lie past the end of the disk
   */
  beginArrival(means: ArrivalMeans): void {
    for (const { arriving } of this.#images) arriving?.begin(means);
    this.#window = windowOf(this.image.sizeBytes, this.#parts);
  }

  /** Whether some request waits for content that is to come. */
  get isContentAwaited(): boolean {
    return this.#arriving.length > 0 && this.#arriving.some(({ isAwaited }) => isAwaited);
  }

  /** Tells the requests for which it has come. */
  reapArrived(): void {
    for (const arriving of this.#arriving) {
      if (arriving.isAwaited) arriving.reap();
    }
  }

  /** What other threads share decompressed pieces by, for each image of the chain. */
  get sharedPieces(): SharedArrayBuffer[] {
    return this.#images.map((_, depth) => this.#memoryAt(depth).shared);
  }

  get #images(): readonly Image[] {
    return [this.image, ...this.#parts.images ?? []];
  }

  #unpackingAt(depth: number): Unpacking {
    return {
      memory: this.#memoryAt(depth),
      cacheBytes: this.#dataCacheAt(depth),
      decoding: this.#parts.decoding,
      format: this.#parts.formats?.[depth] ?? "",
    };
  }

  #memoryAt(depth: number): PieceMemory {
    const known = this.#memories.get(depth);
    if (known !== undefined) return known;
    const { sizeBytes = 0, packing } = this.#images[depth] ?? {};
    const { maxPieceBytes } = packing ?? {};
    const limits = { cacheBytes: this.#dataCacheAt(depth), depth, sizeBytes, maxPieceBytes };
    const memory = new PieceMemory(limits, this.#parts.pieces?.[depth]);
    this.#memories.set(depth, memory);
    return memory;
  }

  #dataCacheAt(depth: number): number {
    const { cacheSizes = {}, layersAbove = 0 } = this.#parts;
    return cachesAtDepth(Math.max(0, depth - layersAbove), cacheSizes).dataCacheBytes;
  }

  /** Gives the memory back of all that can be read again. */
  dropCaches(): void {
    for (const image of this.#images) image.dropCaches?.();
    this.#reader.dropCaches();
    this.#writer?.releaseMemory();
  }

  /**
   * Takes notice of a size that the image has got meanwhile. (Nobody but an attacker makes what lies
   * below it longer.)
   *
   * @throws {RangeError} if the window would lie past the end of the disk; all stays as it was then
   */
  refreshSize(): void {
    this.#files[0]?.refreshSize();
    this.image.refreshSize?.();
    this.#window = windowOf(this.image.sizeBytes, this.#parts);
  }

  /**
   * Makes the disk larger, and the window with it; as {@link growDisk}.
   *
   * @param sizeBytes of the whole disk, whatever part of it the window is
   */
  grow(sizeBytes: number, flush: () => boolean): void {
    const { image } = this;
    growDisk(sizeBytes, { image, writer: this.#writable, flush });
    this.#window = windowOf(image.sizeBytes, this.#parts);
  }

  /**
   * Changes the internal snapshots of the image; as {@link Snapshots.change}.
   *
   * @param flush makes durable what has been changed; false if that has failed
   */
  changeSnapshots(change: SnapshotChange, flush: () => boolean): void {
    const { writing } = this.image;
    const snapshots = writing?.snapshots;
    if (snapshots === undefined) {
      throw new RangeError("images of this format have no internal snapshots");
    }
    snapshots.change(change, () => {
      if (!flush()) throw new SystemError("fdatasync", EIO, this.path);
    });
  }

  /**
   * Reads a range; as {@link Reader.read}.
   *
   * @returns false if something has to come first, which `request.attempt` says
   */
  read(request: ReadRequest): boolean {
    return this.#reader.read(request, this.#window.startBytes);
  }

  /**
   * Tells what the range at `offset` begins with. Reads metadata only.
   *
   * @param run gets the answer, which holds for as many of `lengthBytes` as it says
   * @returns false if something has to come first, which `run.attempt` says
   * @throws {ImageFormatError} if the image is damaged there
   */
  findRun(offset: number, lengthBytes: number, run: Run): boolean {
    run.attempt.begin();
    return findRun(this.image, this.#window.startBytes + offset, lengthBytes, run);
  }

  /** What came in the way of the last change that had to wait. */
  get changeAttempt(): Attempt {
    return this.#writable.attempt;
  }

  /** Writes the next run of a change; as {@link Writer.write}. */
  write(change: Change): number {
    return this.#writable.write(change, this.#window.startBytes);
  }

  /** Writes zeros as the next run of a change; as {@link Writer.writeZeros}. */
  writeZeros(change: Change, zeros: IoBuffer, mostBytes: number): number {
    return this.#writable.writeZeros(change, this.#window.startBytes, { zeros, mostBytes });
  }

  /** Frees or clears the next piece of a change; as {@link Writer.clear}. */
  clear(change: Change, pieceBytes: number): number {
    return this.#writable.clear(change, this.#window.startBytes, pieceBytes);
  }

  /** Where what is left of a change begins; as {@link Writer.place}. */
  place(change: Change): ReturnType<Writer["place"]> {
    return this.#writable.place(change, this.#window.startBytes);
  }

  get #writable(): Writer {
    if (this.#writer === undefined) throw new Error("a change of a read-only disk");
    return this.#writer;
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    for (const image of this.#images) image[Symbol.dispose]();
    for (const file of this.#files) file[Symbol.dispose]();
    if (this.#parts.pieces !== undefined) return; // those are the first thread's
    for (const memory of this.#memories.values()) memory[Symbol.dispose]();
  }
}
