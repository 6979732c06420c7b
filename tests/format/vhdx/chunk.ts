/**
 * The BAT of children.
 *
 * @module
 */
import { type BatEntry, BITS, MIB } from "./image_builder.ts";

/** A chunk of sectors of 512 bytes has so many blocks. */
export const IN_CHUNK = 4096;

/** Entries of the blocks, and that of the bits of the chunk that they are in. */
export function chunk(blocks: readonly BatEntry[] = [], hasBits = true): BatEntry[] {
  const all = Array.from({ length: IN_CHUNK + 1 }, (): BatEntry => [0]);
  all.splice(0, blocks.length, ...blocks);
  all[IN_CHUNK] = hasBits ? [6, BITS / MIB] : [0];
  return all;
}
