/**
 * Choosing what decompresses a method.
 *
 * @module
 */
import { CompressionMethod } from "../image/decoding.ts";
import { openOptional } from "../sys/optional_library.ts";
import { AdcDecoder } from "./adc.ts";
import { Filler } from "./fill.ts";
import { Libbz2, LIBBZ2_NAMES } from "./libbz2.ts";
import { Libdeflate } from "./libdeflate.ts";
import { Liblzma, LIBLZMA_NAMES } from "./liblzma.ts";
import { Libzstd } from "./libzstd.ts";
import { Inflater } from "./inflate.ts";
import { LzfseDecoder } from "./lzfse.ts";
import type { Decompressor } from "./decompressor.ts";
import { SummedDecoder } from "./summed.ts";
import { XzBlockDecoder, XzCheck } from "./xz_block.ts";
import { ZlibDecoder } from "./zlib.ts";
import { ZstdDecoder } from "./zstd.ts";

/**
 * Loads what decompresses a method.
 *
 * @throws {Error} if {@link missingLibrary} names one
 */
export function createDecompressor(method: CompressionMethod): Decompressor {
  switch (method) {
    case CompressionMethod.Deflate:
      return new Inflater(Libdeflate.open());
    case CompressionMethod.Zlib:
      return new ZlibDecoder(Libdeflate.open());
    case CompressionMethod.Zstd:
      return new ZstdDecoder(Libzstd.open());
    case CompressionMethod.Bzip2:
      return present(Libbz2.open());
    case CompressionMethod.Xz:
      return present(Liblzma.open());
    case CompressionMethod.Adc:
      return new AdcDecoder();
    case CompressionMethod.Lzfse:
      return new LzfseDecoder();
    case CompressionMethod.Fill:
      return new Filler();
    case CompressionMethod.Summed:
      return new SummedDecoder();
    case CompressionMethod.XzBlock:
      return present(XzBlockDecoder.open(XzCheck.None));
    case CompressionMethod.XzBlockCrc32:
      return present(XzBlockDecoder.open(XzCheck.Crc32));
    case CompressionMethod.XzBlockCrc64:
      return present(XzBlockDecoder.open(XzCheck.Crc64));
    case CompressionMethod.XzBlockSha256:
      return present(XzBlockDecoder.open(XzCheck.Sha256));
  }
}

function present(decompressor: Decompressor | undefined): Decompressor {
  if (decompressor === undefined) throw new Error("a library is not installed any more");
  return decompressor;
}

/** Libraries that nothing can take the place of, where they are not installed. */
const NEEDED: ReadonlyMap<CompressionMethod, readonly string[]> = new Map([
  [CompressionMethod.Bzip2, LIBBZ2_NAMES],
  [CompressionMethod.Xz, LIBLZMA_NAMES],
  [CompressionMethod.XzBlock, LIBLZMA_NAMES],
  [CompressionMethod.XzBlockCrc32, LIBLZMA_NAMES],
  [CompressionMethod.XzBlockCrc64, LIBLZMA_NAMES],
  [CompressionMethod.XzBlockSha256, LIBLZMA_NAMES],
]);

/**
 * Name of the library that a method needs and that is not installed, if so. One that is, is loaded for
 * good: threads find it here when its file has gone.
 */
export function missingLibrary(method: CompressionMethod): string | undefined {
  const names = NEEDED.get(method);
  return names === undefined || openOptional(names, {}) !== undefined ? undefined : names[0];
}
