/**
 * What turns the stored bytes of a cluster into a cluster.
 *
 * @module
 */
import { CompressionMethod } from "../image/decoding.ts";
import { Libdeflate } from "./libdeflate.ts";
import { Libzstd } from "./libzstd.ts";
import { Inflater } from "./inflate.ts";
import { ZstdDecoder } from "./zstd.ts";

export interface Decompressor extends Disposable {
  /**
   * Decompresses `stored`, which may be followed by anything, into `cluster`.
   *
   * @returns false if not all of the cluster is in there: what `cluster` has now means nothing
   */
  decompress(stored: Uint8Array, cluster: Uint8Array): boolean;
}

/** Loads what decompresses a method. */
export function createDecompressor(method: CompressionMethod): Decompressor {
  switch (method) {
    case CompressionMethod.Deflate:
      return new Inflater(Libdeflate.open());
    case CompressionMethod.Zstd:
      return new ZstdDecoder(Libzstd.open());
  }
}
