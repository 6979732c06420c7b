/**
 * What the kinds of clusters amount to: where their bytes are.
 *
 * @module
 */
import type { CompressionMethod } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import { damaged, hex } from "./errors.ts";
import type { Encryption } from "./encryption.ts";
import { SECTOR_BYTES } from "./layout.ts";
import type { RelatedPlaces } from "./names.ts";

/** No file is longer: offsets have to be numbers, also at the end of what is read. */
const MAX_HOST_OFFSET = 2 ** 52;

/** How the clusters of an image are stored. */
export interface ClusterStorage {
  readonly clusterBytes: number;
  readonly compression: CompressionMethod;
  /** Undefined if they are not encrypted. */
  readonly encryption: Encryption | undefined;
}

/** Fills mappings with runs of clusters, or parts of them, of one kind. */
export class Places {
  readonly #file: ImageFile;
  readonly #dataFile: ImageFile;
  readonly #backing: Image | undefined;
  readonly #storage: ClusterStorage;

  constructor(
    file: ImageFile,
    { dataFile = file, backing }: RelatedPlaces,
    storage: ClusterStorage,
  ) {
    this.#file = file;
    this.#dataFile = dataFile;
    this.#backing = backing;
    this.#storage = storage;
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
    const { encryption } = this.#storage;
    if (encryption !== undefined) {
      if (hostOffset > MAX_HOST_OFFSET) throw this.damagedEntry(guestOffset, hostOffset);
      // What lies past the end of the file are encrypted zeros, as in qemu: no zeros for the guest.
      mapping.setSealed(file, hostOffset, lengthBytes);
      const cipherOffset = encryption.countsHostOffsets ? hostOffset : guestOffset;
      return mapping.setCipher(encryption.cipher, Math.floor(cipherOffset / SECTOR_BYTES));
    }
    const inFile = file.sizeBytes - hostOffset;
    if (inFile <= 0) return mapping.setZero(lengthBytes);
    mapping.setData(file, hostOffset, Math.min(lengthBytes, inFile));
  }

  /**
   * The cluster that `guestOffset` lies in is compressed, and its bytes are among `hostBytes` at
   * `hostOffset`. To be followed by {@link Mapping.setPiece}, which {@link Places.setCluster} does.
   *
   * @throws {ImageFormatError} if none of them is in the file
   */
  setCompressed(hostOffset: number, hostBytes: number, mapping: Mapping): void {
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) {
      const message = `the compressed cluster at ${hex(hostOffset)} is not in the file`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    mapping.setPacked(this.#file, hostOffset, Math.min(hostBytes, inFile));
    mapping.method = this.#storage.compression;
  }

  /** Of a compressed cluster, up to `lengthBytes` from `guestOffset` on are meant. */
  setCluster(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { clusterBytes } = this.#storage;
    const inCluster = guestOffset & (clusterBytes - 1);
    const runBytes = Math.min(clusterBytes - inCluster, lengthBytes);
    mapping.setPiece(guestOffset - inCluster, clusterBytes, runBytes);
  }

  /** The entry for `guestOffset`, which names `hostOffset`, is not valid. */
  damagedEntry(guestOffset: number, hostOffset: number): Error {
    const message = `the L2 entry for guest offset ${hex(guestOffset)} is not valid`;
    return damaged(this.#file.path, message, hostOffset);
  }
}
