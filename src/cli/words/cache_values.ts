/**
 * Arguments of the options for caches, and for how much an overlay may take.
 *
 * @module
 */
import { MAX_CACHE_BYTES, MIN_CACHE_BYTES } from "../../image/cache_sizes.ts";
import { parseSizeBytes } from "./sizes.ts";
import { UsageError } from "./usage_error.ts";

/** A week: what waits longer may as well wait for ever. */
const MAX_CLEAN_INTERVAL_SECONDS = 604_800;

/** @throws {UsageError} if it is no size, or one that no cache can have */
export function parseCacheSize(option: string, value: string): number {
  const sizeBytes = parseSizeBytes(value, "failed to parse cache size");
  if (sizeBytes >= MIN_CACHE_BYTES && sizeBytes <= MAX_CACHE_BYTES) return sizeBytes;
  throw new UsageError(`--${option} has to be from 64K to 1G: '${value}'`);
}

/** @throws {UsageError} if it is no whole number of seconds, or too many */
export function parseCleanInterval(value: string): number {
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Infinity;
  if (seconds <= MAX_CLEAN_INTERVAL_SECONDS) return seconds;
  const most = MAX_CLEAN_INTERVAL_SECONDS;
  throw new UsageError(`--cache-clean-interval has to be from 0 to ${most} seconds: '${value}'`);
}

/** What an overlay begins with takes some of it, and so do the tables of what is written first. */
const MIN_OVERLAY_BYTES = 128 * 1024;

/** @throws {UsageError} if it is no size, or there would be no room for anything */
export function parseOverlaySize(value: string): number {
  const sizeBytes = parseSizeBytes(value, "failed to parse overlay size");
  if (sizeBytes >= MIN_OVERLAY_BYTES) return sizeBytes;
  throw new UsageError(`--overlay-size has to be 128K or more: '${value}'`);
}
