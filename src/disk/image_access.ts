/**
 * Guest I/O on an open image: asks the driver where the bytes are and moves them.
 *
 * Nothing here waits for a disk unless it is told that it may: a read that would have to answers
 * "blocked" and what it needs, and is run again when that has been brought in.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import type { DecodeJob } from "../image/decoding.ts";
import type { Image } from "../image/driver.ts";
import { findRun, MAX_DEPTH, Run } from "./extents.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { Extent, type MappedDisk, Mapping } from "../image/mapping.ts";
import type { SharedFile } from "../storage/image_file.ts";
import { type Window, type WindowLimits, windowOf } from "./window.ts";

/** Zeros are written in pieces of this size where the file system cannot do better. */
const ZERO_CHUNK_BYTES = 1024 * 1024;

/** The images below an image. */
export interface ImagesBelow {
  readonly images: readonly Image[];
  /** What the user had better know of them. */
  readonly warnings: readonly string[];
}

/**
 * Reads and writes a window of an image. All offsets are relative to the window, and the caller has
 * checked that each range lies inside it.
 */
export class ImageAccess {
  readonly image: Image;
  readonly #limits: WindowLimits;
  #window: Window;
  /** Whether some file cannot say what is cached: every read that may not wait is blocked then. */
  readonly cannotTellCached: boolean;
  readonly #files: readonly ImageFile[];
  readonly #imagesBelow: readonly Image[];
  /** What the user had better know of the image and those below it. */
  readonly warnings: readonly string[];
  /** One for each depth of the chain, so that mapping allocates nothing. */
  readonly #mappings: Mapping[] = [];
  #zeros: IoBuffer | undefined;
  #blockedOn = new Mapping();
  #waitsFor: DecodeJob | undefined;
  /** Whether there is other work to do while another thread decodes; set for each request. */
  mayDefer = false;
  /** For the next read only: if it is of nothing but zeros, they need not be written. */
  mayOmitZeros = false;
  /** After a read: whether it is of nothing but zeros, which have not been written. */
  omittedZeros = false;
  /** Zeros of this length need not be written; -1 for none. */
  #omittableBytes = -1;

  /**
   * @param files every file the image reads from, its own first, then those of its backing images
   * @param below its backing images, that one's and so on
   * @throws {RangeError} if the window would lie past the end of the disk
   */
  constructor(
    image: Image,
    files: readonly ImageFile[],
    limits: WindowLimits,
    below: ImagesBelow = { images: [], warnings: [] },
  ) {
    this.image = image;
    this.#imagesBelow = below.images;
    this.warnings = [...image.warnings ?? [], ...below.warnings];
    this.#limits = limits;
    this.#window = windowOf(image.sizeBytes, limits);
    this.#files = files;
    this.cannotTellCached = files.some((file) => file.cacheKnowledge === "unknown");
  }

  get window(): Window {
    return this.#window;
  }

  /** Size of the window in bytes. */
  get sizeBytes(): number {
    return this.#window.sizeBytes;
  }

  /** Gives the memory back of all that can be read again. */
  dropCaches(): void {
    this.image.dropCaches?.();
    for (const image of this.#imagesBelow) image.dropCaches?.();
  }

  /**
   * Takes notice of a size that the image has got meanwhile. (Nobody but an attacker makes what lies
   * below it longer.)
   *
   * @throws {RangeError} if the window would lie past the end of the disk; all stays as it was then
   */
  refreshSize(): void {
    this.#files[0]?.refreshSize();
    this.#window = windowOf(this.image.sizeBytes, this.#limits);
  }

  /** Path of the image's own file. */
  get path(): string {
    return this.#files[0]?.path ?? "";
  }

  /** The open files, for another thread to open the image once more. */
  get sharedFiles(): SharedFile[] {
    return this.#files.map(({ fd, path, sizeBytes }) => ({ fd, path, sizeBytes }));
  }

  get readOnly(): boolean {
    return this.image.readOnly;
  }

  /** What a flush has to make durable. */
  get filesToSync(): readonly ImageFile[] {
    return this.image.filesToSync;
  }

  /** Whether ranges can be freed; without it a discard would mean nothing. */
  get canDiscard(): boolean {
    return !this.readOnly && this.image.discard !== undefined;
  }

  /** Says whether reads may wait for a disk from now on. */
  setMayBlock(mayBlock: boolean): void {
    for (const file of this.#files) file.mayBlock = mayBlock;
  }

  /** After a blocked read: what another thread has to finish first, if it is that. */
  get waitsFor(): DecodeJob | undefined {
    return this.#waitsFor;
  }

  /** After a blocked read that waits for no other thread: the file range (`file`, `hostOffset`, `hostBytes`) to bring in. */
  get blockedOn(): Mapping {
    return this.#blockedOn;
  }

  /**
   * Reads a range into `target` from `position` on.
   *
   * @returns false if that would wait for a disk; the target's content is undefined then
   * @throws {ImageFormatError} if the image is damaged there
   * @throws {SystemError} if a file cannot be read
   */
  read(target: IoBuffer, position: number, offset: number, lengthBytes: number): boolean {
    const guestOffset = this.#window.startBytes + offset;
    this.#waitsFor = undefined;
    this.#omittableBytes = this.mayOmitZeros ? lengthBytes : -1;
    this.mayOmitZeros = false;
    this.omittedZeros = false;
    return this.#read(this.image, 0, target, position, guestOffset, lengthBytes);
  }

  #read(
    image: MappedDisk,
    depth: number,
    target: IoBuffer,
    position: number,
    guestOffset: number,
    lengthBytes: number,
  ): boolean {
    const mapping = this.#mappingAt(depth);
    let done = 0;
    let ready = true;
    while (done < lengthBytes) {
      image.map(guestOffset + done, lengthBytes - done, mapping);
      const count = mapping.lengthBytes;
      mapping.mayDefer = this.mayDefer || count < lengthBytes - done;
      if (!this.#readExtent(image, depth, target, position + done, guestOffset + done)) {
        ready = false;
        // While another thread decodes this, the rest need not wait.
        if (this.#waitsFor === undefined) break;
      }
      done += count;
    }
    return ready;
  }

  /** Reads the run that the mapping of this depth describes. */
  #readExtent(
    image: MappedDisk,
    depth: number,
    target: IoBuffer,
    position: number,
    guestOffset: number,
  ): boolean {
    const mapping = this.#mappingAt(depth);
    const count = mapping.lengthBytes;
    switch (mapping.kind) {
      case Extent.Data:
        return this.#readData(mapping, target, position, count);
      case Extent.Zero:
        this.#fillWithZeros(target, position, count);
        return true;
      case Extent.Backing:
        return this.#readBacking(mapping, depth, target, position, count);
      case Extent.Special:
        if (image.readSpecial?.(guestOffset, count, target, position, mapping)) return true;
        return this.#block(mapping);
      case Extent.Blocked:
        return this.#block(mapping);
    }
  }

  #readData(mapping: Mapping, target: IoBuffer, position: number, count: number): boolean {
    const { file, hostOffset } = mapping;
    if (file === undefined) throw new Error("a data extent without a file");
    if (file.read(target, position, hostOffset, count)) return true;
    // Not what is at hand already: a long range comes in by several steps, each from where it ends.
    mapping.setBlocked(file, hostOffset + file.atHandBytes, count - file.atHandBytes);
    return this.#block(mapping);
  }

  #readBacking(
    mapping: Mapping,
    depth: number,
    target: IoBuffer,
    position: number,
    count: number,
  ): boolean {
    const { image, guestOffset } = mapping;
    const inside = image === undefined
      ? 0
      : Math.max(0, Math.min(count, image.sizeBytes - guestOffset));
    if (inside < count) this.#fillWithZeros(target, position + inside, count - inside);
    if (image === undefined || inside === 0) return true;
    return this.#read(image, depth + 1, target, position, guestOffset, inside);
  }

  #fillWithZeros(target: IoBuffer, position: number, count: number): void {
    if (count === this.#omittableBytes) this.omittedZeros = true;
    else target.bytes.fill(0, position, position + count);
  }

  #block(mapping: Mapping): boolean {
    this.#blockedOn = mapping;
    this.#waitsFor = mapping.job;
    return false;
  }

  #mappingAt(depth: number): Mapping {
    const mapping = this.#mappings[depth];
    if (mapping !== undefined) return mapping;
    if (depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} backing images`);
    const created = new Mapping();
    this.#mappings[depth] = created;
    return created;
  }

  /**
   * Writes a range from `source` at `position` on. The disk is writable.
   *
   * @throws {SystemError} if the file cannot be written, ENOSPC among the reasons
   */
  write(source: IoBuffer, position: number, offset: number, lengthBytes: number): void {
    const mapping = this.#mappingAt(0);
    const guestOffset = this.#window.startBytes + offset;
    let done = 0;
    while (done < lengthBytes) {
      this.image.map(guestOffset + done, lengthBytes - done, mapping);
      const { file, kind, hostOffset, lengthBytes: count } = mapping;
      if (kind !== Extent.Data || file === undefined) throw new Error("not a place to write to");
      file.write(source, position + done, hostOffset, count);
      done += count;
    }
  }

  /**
   * Tells what the range at `offset` begins with. Reads metadata only.
   *
   * @param run gets the answer, which holds for as many of `lengthBytes` as it says
   * @returns false if that would wait for a disk
   * @throws {ImageFormatError} if the image is damaged there
   */
  findRun(offset: number, lengthBytes: number, run: Run): boolean {
    const guestOffset = this.#window.startBytes + offset;
    if (findRun(this.image, guestOffset, lengthBytes, run)) return true;
    return this.#block(run.mapping);
  }

  /**
   * The next offset from `offset` on that is stored somewhere, or (a hole) that just reads as zeros;
   * the end of the disk counts as a hole, as in lseek(2). Reads metadata, waiting for it.
   *
   * @returns -1 if nothing stored follows
   */
  seek(offset: number, { wantHole }: { wantHole: boolean }): number {
    const run = new Run();
    this.setMayBlock(true);
    try {
      for (let at = offset; at < this.sizeBytes; at += run.lengthBytes) {
        this.findRun(at, this.sizeBytes - at, run);
        if (run.isZero === wantHole) return at;
      }
      return wantHole ? this.sizeBytes : -1;
    } finally {
      this.setMayBlock(false);
    }
  }

  /** Frees a range of a writable disk, if its driver and file system can; else does nothing. */
  discard(offset: number, lengthBytes: number): void {
    this.image.discard?.(this.#window.startBytes + offset, lengthBytes);
  }

  /**
   * Makes a range of a writable disk read as zeros.
   *
   * @param keepAllocated whether later writes to the range must not need new space
   * @param onlyIfFast whether to refuse where zeros would have to be written
   * @returns false if it was refused
   * @throws {SystemError} if the file cannot be written
   */
  writeZeroes(
    offset: number,
    lengthBytes: number,
    keepAllocated: boolean,
    onlyIfFast: boolean,
  ): boolean {
    const guestOffset = this.#window.startBytes + offset;
    if (this.image.writeZeroes?.(guestOffset, lengthBytes, keepAllocated)) return true;
    if (onlyIfFast) return false;
    this.#zeros ??= new IoBuffer(ZERO_CHUNK_BYTES);
    for (let done = 0; done < lengthBytes; done += ZERO_CHUNK_BYTES) {
      this.write(this.#zeros, 0, offset + done, Math.min(ZERO_CHUNK_BYTES, lengthBytes - done));
    }
    return true;
  }

  [Symbol.dispose](): void {
    for (const image of [this.image, ...this.#imagesBelow]) image[Symbol.dispose]();
    for (const file of this.#files) file[Symbol.dispose]();
  }
}
