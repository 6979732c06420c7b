/**
 * What a format driver says of a run of guest bytes: where they are.
 *
 * @module
 */
import type { DecodeJob } from "./decoding.ts";
import type { IoBuffer } from "../sys/memory.ts";
import type { ImageFile } from "../storage/image_file.ts";

/** What a run of guest bytes is made of. */
export const Extent = {
  /** Bytes of a file, unchanged. */
  Data: 0,
  /** Zeros, stored nowhere. */
  Zero: 1,
  /** Not in this image: whatever its backing image has there. */
  Backing: 2,
  /** Stored, but only the driver can read it: compressed or encrypted. */
  Special: 3,
  /**
   * Not known yet: a part of a file has to be read first, and reading it now would wait for a disk;
   * or another thread is decoding it.
   */
  Blocked: 4,
} as const;

export type Extent = typeof Extent[keyof typeof Extent];

/** A virtual disk as far as translating offsets goes. */
export interface MappedDisk {
  /** Size of the virtual disk in bytes. */
  readonly sizeBytes: number;
  /**
   * What holes in its files mean, where it pays to ask for them: parts of the disk that are not
   * there (RAW), or are there and read as zeros.
   */
  readonly fileHoles?: "absent" | "zeros" | undefined;
  /**
   * Says where the guest bytes from `guestOffset` on are, for as many as one answer holds for, at
   * most `lengthBytes`. The range lies within the disk. Fills `mapping`.
   *
   * @throws {ImageFormatError} if the metadata of this place is damaged
   */
  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void;
  /**
   * Reads guest bytes that `map` called special, all within that one answer, to `target` from
   * `position` on.
   *
   * @returns false if that would wait for a disk: `mapping` then says (Blocked) what has to be read
   * @throws {ImageFormatError} if the stored bytes cannot be decoded
   */
  readSpecial?(
    guestOffset: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean;
}

/**
 * One record, filled anew by each {@link MappedDisk.map} call: mapping allocates nothing.
 * Only the fields named for its `kind` mean anything.
 */
export class Mapping {
  kind: Extent = Extent.Zero;
  /** Guest bytes the answer holds for, from the asked offset on; 1 up to the asked length. */
  lengthBytes = 0;
  /** Data, Special: where the stored bytes are. Blocked: what has to be read first. */
  file: ImageFile | undefined = undefined;
  hostOffset = 0;
  /** Special, Blocked: bytes of `file` from `hostOffset` on. */
  hostBytes = 0;
  /** Special: whether the stored bytes are the guest's, encrypted one by one, rather than packed. */
  isEncrypted = false;
  /** Blocked: the thread's work that is waited for, if it is not a file. */
  job: DecodeJob | undefined = undefined;
  /** Special: whether there is something else to do while another thread decodes; set by who asks. */
  mayDefer = false;
  /** Backing: the image to ask, and the offset in it; undefined if there is none (zeros). */
  image: MappedDisk | undefined = undefined;
  guestOffset = 0;

  setData(file: ImageFile, hostOffset: number, lengthBytes: number): void {
    this.kind = Extent.Data;
    this.file = file;
    this.hostOffset = hostOffset;
    this.lengthBytes = lengthBytes;
  }

  setZero(lengthBytes: number): void {
    this.kind = Extent.Zero;
    this.lengthBytes = lengthBytes;
  }

  setBacking(image: MappedDisk | undefined, guestOffset: number, lengthBytes: number): void {
    this.kind = Extent.Backing;
    this.image = image;
    this.guestOffset = guestOffset;
    this.lengthBytes = lengthBytes;
  }

  setSpecial(file: ImageFile, hostOffset: number, hostBytes: number, lengthBytes: number): void {
    this.kind = Extent.Special;
    this.isEncrypted = false;
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
    this.lengthBytes = lengthBytes;
  }

  /** Special, in whole sectors: those that hold the guest bytes, which begin within the first. */
  setEncrypted(file: ImageFile, hostOffset: number, hostBytes: number, lengthBytes: number): void {
    this.setSpecial(file, hostOffset, hostBytes, lengthBytes);
    this.isEncrypted = true;
  }

  setBlocked(file: ImageFile, hostOffset: number, hostBytes: number): void {
    this.kind = Extent.Blocked;
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
    this.lengthBytes = 0;
    this.job = undefined;
  }

  setDecoding(job: DecodeJob): void {
    this.kind = Extent.Blocked;
    this.file = undefined;
    this.lengthBytes = 0;
    this.job = job;
  }
}
