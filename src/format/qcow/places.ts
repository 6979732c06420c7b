/**
 * What the kinds of clusters amount to: where their bytes are.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import { damaged, hex } from "./errors.ts";
import { SECTOR_BYTES } from "./layout.ts";
import type { RelatedPlaces } from "./names.ts";

/** No file is longer: offsets have to be numbers, also at the end of what is read. */
const MAX_HOST_OFFSET = 2 ** 52;

/** Fills mappings with runs of clusters, or parts of them, of one kind. */
export class Places {
  readonly #file: ImageFile;
  readonly #dataFile: ImageFile;
  readonly #backing: Image | undefined;
  readonly #isEncrypted: boolean;

  constructor(
    file: ImageFile,
    { dataFile = file, backing }: RelatedPlaces = {},
    { isEncrypted } = { isEncrypted: false },
  ) {
    this.#file = file;
    this.#dataFile = dataFile;
    this.#backing = backing;
    this.#isEncrypted = isEncrypted;
  }

  /**
   * The image has nothing from `guestOffset` on. That is not the same as zeros it has, even if no
   * image is below it: `--map` tells them apart, as qemu does.
   */
  setUnallocated(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setBacking(this.#backing, guestOffset, lengthBytes);
  }

  /**
   * The bytes from `guestOffset` on are stored at `hostOffset`. What lies past the end of the file
   * reads as zeros, as in qemu: nobody has to read there.
   *
   * @throws {ImageFormatError} if they are elsewhere in an external data file than the guest has
   *   them (specification, "Incompatible features", bit 2)
   */
  setStored(guestOffset: number, hostOffset: number, lengthBytes: number, mapping: Mapping): void {
    const file = this.#dataFile;
    if (file !== this.#file && hostOffset !== guestOffset) {
      throw this.damagedEntry(guestOffset, hostOffset);
    }
    if (this.#isEncrypted) return this.#setEncrypted(guestOffset, hostOffset, lengthBytes, mapping);
    const inFile = file.sizeBytes - hostOffset;
    if (inFile <= 0) return mapping.setZero(lengthBytes);
    mapping.setData(file, hostOffset, Math.min(lengthBytes, inFile));
  }

  /** What lies past the end of the file are encrypted zeros, as in qemu: no zeros for the guest. */
  #setEncrypted(
    guestOffset: number,
    hostOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    if (hostOffset > MAX_HOST_OFFSET) throw this.damagedEntry(guestOffset, hostOffset);
    const inSector = hostOffset % SECTOR_BYTES;
    const hostBytes = Math.ceil((inSector + lengthBytes) / SECTOR_BYTES) * SECTOR_BYTES;
    mapping.setEncrypted(this.#dataFile, hostOffset - inSector, hostBytes, lengthBytes);
  }

  /**
   * The cluster is compressed, and its bytes are among `hostBytes` at `hostOffset`.
   *
   * @throws {ImageFormatError} if none of them is in the file
   */
  setCompressed(
    hostOffset: number,
    hostBytes: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) {
      const message = `the compressed cluster at ${hex(hostOffset)} is not in the file`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    mapping.setSpecial(this.#file, hostOffset, Math.min(hostBytes, inFile), lengthBytes);
  }

  /** The entry for `guestOffset`, which names `hostOffset`, is not valid. */
  damagedEntry(guestOffset: number, hostOffset: number): Error {
    const message = `the L2 entry for guest offset ${hex(guestOffset)} is not valid`;
    return damaged(this.#file.path, message, hostOffset);
  }
}
