/**
 * What turns the stored bytes of a cluster into a cluster.
 *
 * @module
 */
import { CompressionMethod } from "../image/decoding.ts";
import { Inflater } from "./inflate.ts";
import { ZstdDecoder } from "./zstd.ts";

export interface Decompressor extends Disposable {
  /**
   * Decompresses `stored`, which may be followed by anything, to `clusterBytes` bytes.
   *
   * @returns the cluster, good until the next call; undefined if it is not in there
   */
  decompress(stored: Uint8Array, clusterBytes: number): Uint8Array | undefined;
}

/** Loads what decompresses a method. */
export function createDecompressor(method: CompressionMethod): Decompressor {
  switch (method) {
    case CompressionMethod.Deflate:
      return new Inflater();
    case CompressionMethod.Zstd:
      return new ZstdDecoder();
  }
}
