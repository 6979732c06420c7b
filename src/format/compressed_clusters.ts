/**
 * Compressed clusters: decompressed as a whole, and kept for the next request.
 *
 * @module
 */
import { ClusterCaches, type ClusterMemory } from "../disk/cluster_caches.ts";
import type { CompressionMethod, DecodeJob, DecodeLane } from "../image/decoding.ts";
import { ImageFormatError } from "../image/errors.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { Mapping } from "../image/mapping.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ClusterCache } from "../disk/cluster_cache.ts";
import { createDecompressor } from "../codec/create.ts";
import type { Decompressor } from "../codec/decompressor.ts";

/** A cache has to hold so many clusters for other threads to fill it. */
const CLUSTERS_TO_DEFER = 32;

/** What compressed clusters have in common within an image. */
export interface CompressedLayout {
  /** Name of the format, for errors. */
  readonly format: string;
  readonly clusterBytes: number;
  /** Size of the disk. */
  readonly sizeBytes: number;
  /** The most bytes a cluster can be stored in. */
  readonly maxStoredBytes: number;
  readonly method: CompressionMethod;
  /** Other threads that can do it. */
  readonly decoding: DecodeLane | undefined;
  /** Upper bound of the cache, in bytes; always at least four clusters. */
  readonly cacheBytes: number;
  /** What other threads share the cache by; without it, none does. */
  readonly caches: ClusterCaches | undefined;
}

/** Decompresses clusters, and keeps those that were used last, for all threads. */
export class CompressedClusters implements Disposable {
  readonly #file: ImageFile;
  readonly #layout: CompressedLayout;
  readonly #memory: ClusterMemory;
  // reserved with the first compressed cluster: many images have none
  #cache: ClusterCache | undefined;
  #input: IoBuffer | undefined;
  #decompressor: Decompressor | undefined;
  /** Clusters that other threads are decompressing. */
  readonly #deferred = new Map<number, DecodeJob>();
  /** A cluster that another thread could not decompress. */
  #damaged = -1;

  constructor(file: ImageFile, layout: CompressedLayout) {
    this.#file = file;
    this.#layout = layout;
    const { clusterBytes, sizeBytes, cacheBytes, caches = new ClusterCaches() } = layout;
    const pieces = Math.ceil(sizeBytes / clusterBytes);
    const limits = { slotBytes: clusterBytes, cacheBytes, pieces };
    this.#memory = caches.add(limits, ClusterCache.stateIntegers);
  }

  /**
   * Address of the bytes of guest cluster number `cluster`, good until the next call of anything,
   * {@link CompressedClusters.release} included; or -1 where they are not cached.
   */
  find(cluster: number): number {
    const cache = this.#cache ?? this.#cacheOfOthers();
    return cache === undefined ? -1 : cache.find(cluster);
  }

  /** Says that what was found or loaded last has been copied. */
  release(): void {
    this.#cache?.giveUp();
  }

  /** The cache, if another thread has put something into it first, or might have. */
  #cacheOfOthers(): ClusterCache | undefined {
    const { reserved } = this.#memory;
    return reserved === undefined ? undefined : this.#cache = new ClusterCache(reserved);
  }

  /**
   * Reads and decompresses guest cluster number `cluster` from where `mapping` (Special) says, or
   * has another thread do so, if it may.
   *
   * @returns the address of its bytes, as {@link CompressedClusters.find}, or -1 where `mapping` now
   *   says Blocked
   * @throws {ImageFormatError} if what is stored there is not a cluster
   */
  load(cluster: number, mapping: Mapping): number {
    const deferred = this.#deferred.get(cluster);
    if (deferred !== undefined && !this.#file.mayBlock) {
      mapping.setDecoding(deferred);
      return -1;
    }
    if (this.#mayDefer(cluster, mapping) && this.#defer(cluster, mapping)) return -1;
    return this.#loadNow(cluster, mapping);
  }

  /**
   * Has another thread decompress guest cluster number `cluster` from where `mapping` (Special) says,
   * if one can, because it will be wanted soon. `mapping` means nothing afterwards.
   */
  loadAhead(cluster: number, mapping: Mapping): void {
    if (this.#deferred.has(cluster) || this.#cache?.has(cluster)) return;
    if (this.#mayDefer(cluster, mapping)) this.#defer(cluster, mapping);
  }

  #loadNow(cluster: number, mapping: Mapping): number {
    const { hostOffset, hostBytes } = mapping;
    const input = this.#input ??= new IoBuffer(this.#layout.maxStoredBytes);
    if (!this.#file.read(input, 0, hostOffset, hostBytes)) {
      mapping.setBlocked(this.#file, hostOffset, hostBytes);
      return -1;
    }
    const decompressor = this.#decompressor ??= createDecompressor(this.#layout.method);
    const cache = this.#cache ??= new ClusterCache(this.#memory.reserve());
    // Another thread may have begun with it, or may even have done it, meanwhile.
    const address = cache.find(cluster);
    if (address >= 0) return address;
    const stored = input.bytes.subarray(0, hostBytes);
    let isDecompressed = false;
    try {
      isDecompressed = decompressor.decompress(stored, cache.take(cluster));
    } finally {
      if (!isDecompressed) cache.giveUp();
    }
    if (!isDecompressed) throw this.#cannotDecompress(hostOffset);
    return cache.keep(cluster);
  }

  /** A small cache might lose what has been decompressed before it is asked for. */
  #mayDefer(cluster: number, { mayDefer }: Mapping): boolean {
    const { cacheBytes, clusterBytes } = this.#layout;
    return mayDefer && !this.#file.mayBlock && cluster !== this.#damaged &&
      cacheBytes >= clusterBytes * CLUSTERS_TO_DEFER;
  }

  /**
   * Leaves a cluster to another thread.
   *
   * @returns false if none can take it; otherwise `mapping` says what it waits for
   */
  #defer(cluster: number, mapping: Mapping): boolean {
    const { hostOffset, hostBytes } = mapping;
    const { decoding, method, clusterBytes } = this.#layout;
    const job = decoding?.claim(hostBytes, clusterBytes);
    if (job === undefined) return false;
    let isRead = false;
    try {
      isRead = this.#file.read(job.input, 0, hostOffset, hostBytes);
    } finally {
      if (!isRead) job.release();
    }
    if (!isRead) {
      mapping.setBlocked(this.#file, hostOffset, hostBytes);
      return true;
    }
    const onDone = (succeeded: boolean): void => {
      this.#deferred.delete(cluster);
      if (succeeded) this.#keep(cluster, job.output.bytes.subarray(0, clusterBytes));
      else this.#damaged = cluster;
    };
    if (!job.start({ method, storedBytes: hostBytes, decodedBytes: clusterBytes, onDone })) {
      return false;
    }
    this.#deferred.set(cluster, job);
    mapping.setDecoding(job);
    return true;
  }

  /** Keeps what another thread has decompressed. */
  #keep(cluster: number, bytes: Uint8Array): void {
    const cache = this.#cache ??= new ClusterCache(this.#memory.reserve());
    if (cache.has(cluster)) return;
    cache.take(cluster).set(bytes);
    cache.keep(cluster);
    cache.giveUp();
  }

  /** Gives the memory back of everything that can be read again. */
  dropCache(): void {
    this.#cache?.clear();
    this.#input = undefined;
  }

  [Symbol.dispose](): void {
    this.#decompressor?.[Symbol.dispose]();
  }

  #cannotDecompress(hostOffset: number): ImageFormatError {
    const message = `the compressed cluster at 0x${hostOffset.toString(16)} cannot be decompressed`;
    return new ImageFormatError(this.#layout.format, this.#file.path, message, hostOffset);
  }
}
