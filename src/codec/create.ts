/**
 * Choosing what decompresses a method.
 *
 * @module
 */
import { CompressionMethod } from "../image/decoding.ts";
import { Libdeflate } from "./libdeflate.ts";
import { Libzstd } from "./libzstd.ts";
import { Inflater } from "./inflate.ts";
import type { Decompressor } from "./decompressor.ts";
import { ZstdDecoder } from "./zstd.ts";

/** Loads what decompresses a method. */
export function createDecompressor(method: CompressionMethod): Decompressor {
  switch (method) {
    case CompressionMethod.Deflate:
      return new Inflater(Libdeflate.open());
    case CompressionMethod.Zstd:
      return new ZstdDecoder(Libzstd.open());
  }
}
