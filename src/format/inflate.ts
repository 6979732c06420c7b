/**
 * Clusters stored as raw deflate streams (RFC 1951).
 *
 * @module
 */
import type { Decompressor } from "./decompressor.ts";
import { zlib } from "./zlib.ts";

/** Room after a full cluster, without which zlib would ask for a second buffer to put nothing in. */
const SLACK_BYTES = 64;

/** Loads what inflates. A stream need not be ended: it only has to fill a cluster. */
export function createInflater(): Decompressor {
  const { constants, inflateRawSync } = zlib();
  return (stored, clusterBytes) => {
    try {
      const bytes = inflateRawSync(stored, {
        chunkSize: clusterBytes + SLACK_BYTES,
        maxOutputLength: clusterBytes,
        finishFlush: constants.Z_SYNC_FLUSH,
      });
      return bytes.length === clusterBytes ? bytes : undefined;
    } catch {
      return undefined; // zlib's own words would not help anybody
    }
  };
}
