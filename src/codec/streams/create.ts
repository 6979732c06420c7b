/**
 * Choosing what decompresses a file.
 *
 * @module
 */
import type { StreamKind } from "../../image/arriving.ts";
import { openOptional } from "../../sys/optional_library.ts";
import { GzipStream } from "./gzip_stream.ts";
import type { StreamDecoder } from "./stream_decoder.ts";
import { XzStream } from "./xz_stream.ts";
import { ZstdStream } from "./zstd_stream.ts";

/** What decompresses the files of each program, and the library that it needs. */
const OPENERS = {
  gzip: { open: () => GzipStream.open(), library: "libz.so.1" },
  xz: { open: () => XzStream.open(), library: "liblzma.so.5" },
  zstd: { open: () => ZstdStream.open(), library: "libzstd.so.1" },
} as const satisfies Record<
  StreamKind,
  { readonly open: () => StreamDecoder | undefined; readonly library: string }
>;

/**
 * Loads the library for good, so that threads find it here when its file has gone.
 *
 * @throws {Error} if it is not installed
 */
export function loadStreamLibrary(kind: StreamKind): void {
  const { library } = OPENERS[kind];
  if (openOptional([library], {}) !== undefined) return;
  throw new Error(`${library}, which decompresses it, is not installed`);
}

/** @throws {Error} if the library for it is not installed */
export function createStreamDecoder(kind: StreamKind): StreamDecoder {
  const { open, library } = OPENERS[kind];
  const decoder: StreamDecoder | undefined = open();
  if (decoder === undefined) throw new Error(`${library} is not installed any more`);
  return decoder;
}
