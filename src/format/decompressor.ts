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
   * Decompresses `stored`, which may be followed by anything, into `cluster`.
   *
   * @param wantedBytes so many of its bytes are needed, from the start on
   * @returns how many it has got, all or at least those wanted; -1 if they are not in there
   */
  begin(stored: Uint8Array, cluster: Uint8Array, wantedBytes: number): number;

  /**
   * Decompresses what {@link Decompressor.begin} has left, if that was called last, and neither
   * `stored` nor `cluster` has been changed since.
   *
   * @returns whether the cluster is whole
   */
  finish(stored: Uint8Array, cluster: Uint8Array): boolean;
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
