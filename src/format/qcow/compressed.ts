/**
 * Compressed clusters: raw deflate streams (specification, "Compressed Clusters Descriptor").
 *
 * @module
 */
import { constants, inflateRawSync } from "node:zlib";
import type { ImageFile } from "../../image/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { SlotCache } from "../slot_cache.ts";
import { damaged, hex } from "./errors.ts";
import type { Header } from "./header.ts";

const CACHE_BYTES = 8 * 1024 * 1024;
/** Room after a full cluster, without which zlib would ask for a second buffer to put nothing in. */
const SLACK_BYTES = 64;

/** Decompresses clusters, and keeps those that were used last. */
export class CompressedClusters {
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  readonly #clusters: number;
  // reserved with the first compressed cluster: many images have none
  #cache: SlotCache | undefined;
  #input: IoBuffer | undefined;

  constructor(file: ImageFile, header: Header) {
    this.#file = file;
    this.#clusterBytes = header.clusterBytes;
    this.#clusters = Math.ceil(header.sizeBytes / header.clusterBytes);
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
    const bytes = this.#inflate(input.bytes.subarray(0, hostBytes), hostOffset);
    return this.#keep(cluster, bytes);
  }

  #keep(cluster: number, bytes: Uint8Array): number {
    const limits = { cacheBytes: CACHE_BYTES, keys: this.#clusters };
    const cache = this.#cache ??= new SlotCache(this.#clusterBytes, limits);
    const position = cache.take(cluster);
    cache.buffer.bytes.set(bytes, position);
    cache.keep(cluster, position);
    return cache.buffer.address + position;
  }

  /** The sector count of a descriptor can reach twice the size of a cluster. */
  #inputBuffer(): IoBuffer {
    this.#input ??= new IoBuffer(2 * this.#clusterBytes);
    return this.#input;
  }

  /** A stream may be followed by anything, and need not be ended: it only has to fill a cluster. */
  #inflate(stream: Uint8Array, hostOffset: number): Uint8Array {
    let bytes: Uint8Array | undefined;
    try {
      bytes = inflateRawSync(stream, {
        chunkSize: this.#clusterBytes + SLACK_BYTES,
        maxOutputLength: this.#clusterBytes,
        finishFlush: constants.Z_SYNC_FLUSH,
      });
    } catch {
      // told below: zlib's own words would not help anybody
    }
    if (bytes?.length === this.#clusterBytes) return bytes;
    const message = `the compressed cluster at ${hex(hostOffset)} cannot be decompressed`;
    throw damaged(this.#file.path, message, hostOffset);
  }
}
