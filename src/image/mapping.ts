/**
 * What a format driver says of a run of guest bytes: where they are.
 *
 * @module
 */
import type { SectorCipher } from "../crypt/sector_cipher.ts";
import { Attempt } from "../storage/attempt.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { CompressionMethod } from "./decoding.ts";

/** What a run of guest bytes is made of. */
export const Extent = {
  /** Bytes of a file, unchanged. */
  Data: 0,
  /** Zeros, stored nowhere. */
  Zero: 1,
  /** Not in this image: whatever its backing image has there. */
  Backing: 2,
  /** Part of a piece of the disk that is stored compressed, as a whole. */
  Packed: 3,
  /** Stored sector by sector, each of them encrypted. */
  Sealed: 4,
  /** Not known yet: what has to be there first, the attempt says. */
  Blocked: 5,
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
}

/**
 * One record, filled anew by each {@link MappedDisk.map} call: mapping allocates nothing.
 * Only the fields named for its `kind` mean anything.
 */
export class Mapping {
  /** On whose behalf: tables are read as far as it may wait for them. */
  attempt: Attempt;
  kind: Extent = Extent.Zero;
  /** Guest bytes the answer holds for, from the asked offset on; 1 up to the asked length. */
  lengthBytes = 0;
  /** Data, Packed, Sealed: where the stored bytes are. */
  file: ImageFile | undefined = undefined;
  /** Data, Sealed: of the first guest byte. Packed: of the whole piece. */
  hostOffset = 0;
  /** Packed: bytes of `file` from `hostOffset` on that have the piece, and may have more. */
  hostBytes = 0;
  /** Packed: how. */
  method: CompressionMethod = CompressionMethod.Deflate;
  /** Packed: where the piece begins in the disk, and how many bytes of it it is. */
  pieceStart = 0;
  pieceBytes = 0;
  /** Packed: so many bytes of the piece are stored at least; those that are not are zeros. */
  leastBytes = 0;
  /** Sealed: undefined where the image was opened without its key. */
  cipher: SectorCipher | undefined = undefined;
  /** Sealed: what the cipher counts the sector as that `hostOffset` lies in. */
  firstSector = 0;
  /** Backing: the image to ask, and the offset in it; undefined if there is none (zeros). */
  image: MappedDisk | undefined = undefined;
  guestOffset = 0;

  constructor(attempt: Attempt = new Attempt()) {
    this.attempt = attempt;
  }

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

  /** To be followed by {@link Mapping.setPiece}. */
  setPacked(file: ImageFile, hostOffset: number, hostBytes: number): void {
    this.kind = Extent.Packed;
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
  }

  /** Packed: which piece of the disk, `pieceBytes` from `pieceStart` on, is meant: all is stored. */
  setPiece(pieceStart: number, pieceBytes: number, lengthBytes: number): void {
    this.pieceStart = pieceStart;
    this.pieceBytes = pieceBytes;
    this.leastBytes = pieceBytes;
    this.lengthBytes = lengthBytes;
  }

  /** To be followed by {@link Mapping.setCipher}. */
  setSealed(file: ImageFile, hostOffset: number, lengthBytes: number): void {
    this.kind = Extent.Sealed;
    this.file = file;
    this.hostOffset = hostOffset;
    this.lengthBytes = lengthBytes;
  }

  /** Sealed: what decrypts it. */
  setCipher(cipher: SectorCipher | undefined, firstSector: number): void {
    this.cipher = cipher;
    this.firstSector = firstSector;
  }

  setBlocked(): void {
    this.kind = Extent.Blocked;
    this.lengthBytes = 0;
  }
}
