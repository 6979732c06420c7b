/**
 * Compressed clusters: decompressed as a whole, and kept for the next request.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import type { ImageFile } from "../image/image_file.ts";
import type { Mapping } from "../image/mapping.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { Decompressor } from "./decompressor.ts";
import { SlotCache } from "./slot_cache.ts";

/** What compressed clusters have in common within an image. */
export interface CompressedLayout {
  /** Name of the format, for errors. */
  readonly format: string;
  readonly clusterBytes: number;
  /** Size of the disk. */
  readonly sizeBytes: number;
  /** The most bytes a cluster can be stored in. */
  readonly maxStoredBytes: number;
  /** Loads what decompresses them: called with the first one. */
  readonly createDecompressor: () => Decompressor;
  /** Upper bound of the cache, in bytes; always at least one cluster. */
  readonly cacheBytes: number;
}

/** Decompresses clusters, and keeps those that were used last. */
export class CompressedClusters {
  readonly #file: ImageFile;
  readonly #layout: CompressedLayout;
  // reserved with the first compressed cluster: many images have none
  #cache: SlotCache | undefined;
  #input: IoBuffer | undefined;
  #decompress: Decompressor | undefined;

  constructor(file: ImageFile, layout: CompressedLayout) {
    this.#file = file;
    this.#layout = layout;
  }

  /** Address of the bytes of guest cluster number `cluster`, or -1 where they are not cached. */
  find(cluster: number): number {
    if (this.#cache === undefined) return -1;
    const position = this.#cache.find(cluster);
    return position < 0 ? -1 : this.#cache.buffer.address + position;
  }

  /**
   * Reads and decompresses guest cluster number `cluster` from where `mapping` (Special) says.
   *
   * @returns the address of its bytes, good until the next call, or -1 where `mapping` now says
   *   Blocked
   * @throws {ImageFormatError} if what is stored there is not a cluster
   */
  load(cluster: number, mapping: Mapping): number {
    const { hostOffset, hostBytes } = mapping;
    const input = this.#inputBuffer();
    if (!this.#file.read(input, 0, hostOffset, hostBytes)) {
      mapping.setBlocked(this.#file, hostOffset, hostBytes);
      return -1;
    }
    const bytes = this.#decompressed(input.bytes.subarray(0, hostBytes), hostOffset);
    return this.#keep(cluster, bytes);
  }

  #keep(cluster: number, bytes: Uint8Array): number {
    const cache = this.#cache ??= this.#createCache();
    const position = cache.take(cluster);
    cache.buffer.bytes.set(bytes, position);
    cache.keep(cluster, position);
    return cache.buffer.address + position;
  }

  /** Gives the memory back of everything that can be read again. */
  dropCache(): void {
    this.#cache?.clear();
    this.#input = undefined;
  }

  #createCache(): SlotCache {
    const { clusterBytes, sizeBytes, cacheBytes } = this.#layout;
    return new SlotCache(clusterBytes, { cacheBytes, keys: Math.ceil(sizeBytes / clusterBytes) });
  }

  #inputBuffer(): IoBuffer {
    this.#input ??= new IoBuffer(this.#layout.maxStoredBytes);
    return this.#input;
  }

  #decompressed(stored: Uint8Array, hostOffset: number): Uint8Array {
    const { clusterBytes, createDecompressor, format } = this.#layout;
    this.#decompress ??= createDecompressor();
    const bytes = this.#decompress(stored, clusterBytes);
    if (bytes !== undefined) return bytes;
    const message = `the compressed cluster at 0x${hostOffset.toString(16)} cannot be decompressed`;
    throw new ImageFormatError(format, this.#file.path, message, hostOffset);
  }
}
