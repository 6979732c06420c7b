/**
 * What the user wants of changes, whoever asks for them: named as in qemu-nbd(8).
 *
 * @module
 */
/** When changes are durable: when a flush is answered, when they themselves are, or some time. */
export const CACHE_MODES = ["writeback", "writethrough", "unsafe"] as const;
/** What becomes of what is discarded: it is freed, or stays as it is. */
export const DISCARD_MODES = ["unmap", "ignore"] as const;
/** What becomes of zeros that are written: bytes as all others, zeros that keep their place, or none. */
export const DETECT_ZEROES_MODES = ["off", "on", "unmap"] as const;

export interface WritePolicy {
  readonly cache: typeof CACHE_MODES[number];
  readonly discard: typeof DISCARD_MODES[number];
  readonly detectZeroes: typeof DETECT_ZEROES_MODES[number];
}

export const DEFAULT_WRITE_POLICY: WritePolicy = {
  cache: "writeback",
  discard: "unmap",
  detectZeroes: "off",
};
