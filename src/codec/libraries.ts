/**
 * The libraries that decompress.
 *
 * @module
 */
import { LIBDEFLATE_NAMES } from "./libdeflate.ts";
import { LIBZSTD_NAMES } from "./libzstd.ts";
import { openOptional } from "../sys/optional_library.ts";

/**
 * Loads the libraries for good, so that threads find them here when their files have gone. Those that
 * are not installed are not missed.
 */
export function loadDecompressors(): void {
  for (const names of [LIBDEFLATE_NAMES, LIBZSTD_NAMES]) openOptional(names, {});
}
