/**
 * Compressed clusters: decompressed as a whole, and kept for the next request.
 *
 * @module
 */
import { CompressionMethod, type DecodeJob, type DecodeLane } from "../image/decoding.ts";
import { ImageFormatError } from "../image/errors.ts";
import type { ImageFile } from "../image/image_file.ts";
import type { Mapping } from "../image/mapping.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ClusterCache } from "./cluster_cache.ts";
import { createDecompressor, type Decompressor } from "./decompressor.ts";

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
  /** Upper bound of the cache, in bytes; always at least one cluster. */
  readonly cacheBytes: number;
}

/** Decompresses clusters, and keeps those that were used last. */
export class CompressedClusters implements Disposable {
  readonly #file: ImageFile;
  readonly #layout: CompressedLayout;
  // reserved with the first compressed cluster: many images have none
  #cache: ClusterCache | undefined;
  #input: IoBuffer | undefined;
  #decompressor: Decompressor | undefined;
  /** The cluster that the decompressor has begun with, from as many bytes of {@link #input}. */
  #begun = -1;
  #begunBytes = 0;
  /** Clusters that other threads are decompressing. */
  readonly #deferred = new Map<number, DecodeJob>();
  /** A cluster that another thread could not decompress. */
  #damaged = -1;

  constructor(file: ImageFile, layout: CompressedLayout) {
    this.#file = file;
    this.#layout = layout;
  }

  /** Address of guest cluster number `cluster`, or -1 where its first `wantedBytes` are not cached. */
  find(cluster: number, wantedBytes: number): number {
    return this.#cache === undefined ? -1 : this.#cache.find(cluster, wantedBytes);
  }

  /**
   * Reads and decompresses guest cluster number `cluster` from where `mapping` (Special) says, or
   * has another thread do so, if it may.
   *
   * @param wantedBytes so many of its bytes are needed, from its start on
   * @returns the address of its bytes, good until the next call, or -1 where `mapping` now says
   *   Blocked
   * @throws {ImageFormatError} if what is stored there is not a cluster
   */
  load(cluster: number, wantedBytes: number, mapping: Mapping): number {
    const file = this.#file;
    const deferred = this.#deferred.get(cluster);
    if (deferred !== undefined && !file.mayBlock) {
      mapping.setDecoding(deferred);
      return -1;
    }
    const cache = this.#cache ??= this.#createCache();
    const isKnown = cache.filledBytes(cluster) > 0;
    if (isKnown && cluster === this.#begun) return this.#finish(cluster, cache, mapping);
    const { clusterBytes, method } = this.#layout;
    const canBeginOnly = method === CompressionMethod.Deflate && !isKnown;
    const decodedBytes = canBeginOnly ? wantedBytes : clusterBytes;
    if (this.#mayDefer(cluster, mapping) && this.#defer(cluster, decodedBytes, mapping)) return -1;
    return this.#begin(cluster, decodedBytes, cache, mapping);
  }

  /**
   * Has another thread decompress guest cluster number `cluster` from where `mapping` (Special) says,
   * if one can, because it will be wanted soon. `mapping` means nothing afterwards.
   */
  loadAhead(cluster: number, mapping: Mapping): void {
    if (this.#deferred.has(cluster) || (this.#cache?.filledBytes(cluster) ?? 0) > 0) return;
    if (this.#mayDefer(cluster, mapping)) this.#defer(cluster, this.#layout.clusterBytes, mapping);
  }

  #begin(cluster: number, decodedBytes: number, cache: ClusterCache, mapping: Mapping): number {
    const { hostOffset, hostBytes } = mapping;
    const input = this.#input ??= new IoBuffer(this.#layout.maxStoredBytes);
    this.#begun = -1;
    if (!this.#file.read(input, 0, hostOffset, hostBytes)) {
      mapping.setBlocked(this.#file, hostOffset, hostBytes);
      return -1;
    }
    const decompressor = this.#decompressor ??= createDecompressor(this.#layout.method);
    const position = cache.place(cluster);
    const stored = input.bytes.subarray(0, hostBytes);
    const filledBytes = decompressor.begin(stored, cache.bytesAt(position), decodedBytes);
    if (filledBytes < 0) throw this.#cannotDecompress(hostOffset);
    cache.keep(cluster, position, filledBytes);
    this.#begun = cluster;
    this.#begunBytes = hostBytes;
    return cache.addressOf(position);
  }

  /** Decompresses the rest of the cluster that was begun last. */
  #finish(cluster: number, cache: ClusterCache, { hostOffset }: Mapping): number {
    const position = cache.place(cluster);
    const bytes = cache.bytesAt(position);
    const stored = this.#input?.bytes.subarray(0, this.#begunBytes);
    this.#begun = -1;
    if (stored === undefined || !this.#decompressor?.finish(stored, bytes)) {
      throw this.#cannotDecompress(hostOffset);
    }
    cache.keep(cluster, position, bytes.length);
    return cache.addressOf(position);
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
   * @returns false if none can take it; otherwise `mapping` says what it is waited for
   */
  #defer(cluster: number, decodedBytes: number, mapping: Mapping): boolean {
    const { hostOffset, hostBytes } = mapping;
    const { decoding, method } = this.#layout;
    const job = decoding?.claim(hostBytes, decodedBytes);
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
      if (succeeded) this.#keep(cluster, job.output, decodedBytes);
      else this.#damaged = cluster;
    };
    if (!job.start({ method, storedBytes: hostBytes, decodedBytes, onDone })) return false;
    this.#deferred.set(cluster, job);
    mapping.setDecoding(job);
    return true;
  }

  /** Keeps what another thread has decompressed. */
  #keep(cluster: number, { bytes }: IoBuffer, decodedBytes: number): void {
    const cache = this.#cache ??= this.#createCache();
    if (cache.filledBytes(cluster) >= decodedBytes) return;
    const position = cache.place(cluster);
    cache.bytesAt(position).set(bytes.subarray(0, decodedBytes));
    cache.keep(cluster, position, decodedBytes);
  }

  /** Gives the memory back of everything that can be read again. */
  dropCache(): void {
    this.#cache?.clear();
    this.#input = undefined;
    this.#begun = -1;
  }

  [Symbol.dispose](): void {
    this.#decompressor?.[Symbol.dispose]();
  }

  #createCache(): ClusterCache {
    const { clusterBytes, sizeBytes, cacheBytes } = this.#layout;
    return new ClusterCache(clusterBytes, {
      cacheBytes,
      keys: Math.ceil(sizeBytes / clusterBytes),
    });
  }

  #cannotDecompress(hostOffset: number): ImageFormatError {
    const message = `the compressed cluster at 0x${hostOffset.toString(16)} cannot be decompressed`;
    return new ImageFormatError(this.#layout.format, this.#file.path, message, hostOffset);
  }
}
