/**
 * Bits of which each says something of one sector.
 *
 * @module
 */

const BITS = 8;
const ALL = 0xff;

/**
 * Whether the bit of a sector is set in what begins at `position`. The lowest bit of a byte is that of its
 * first sector; where it is the highest one, `sector` is the number with its lowest three bits changed.
 */
export function isBitSet(bytes: Uint8Array, position: number, sector: number): boolean {
  const byte = bytes[position + Math.floor(sector / BITS)] ?? 0;
  return (byte >> sector % BITS & 1) === 1;
}

/** Which sectors are asked about. */
export interface SectorRun {
  readonly sector: number;
  readonly count: number;
  /** Bits to be changed in a sector's number for that of its bit: 7 where the highest bit comes first. */
  readonly flip?: number;
}

/** How many of `count` sectors from `sector` on have the same bit as that one. */
export function bitRun(
  bytes: Uint8Array,
  position: number,
  { sector, count, flip = 0 }: SectorRun,
): number {
  const isSet = isBitSet(bytes, position, sector ^ flip);
  const whole = isSet ? ALL : 0;
  let run = 1;
  while (run < count) {
    const at = sector + run;
    if (at % BITS === 0 && bytes[position + at / BITS] === whole) run += BITS;
    else if (isBitSet(bytes, position, at ^ flip) === isSet) run++;
    else break;
  }
  return Math.min(run, count);
}

/** Sets the bits of `count` sectors from `sector` on, the lowest bit of a byte first. */
export function setBits(
  bytes: Uint8Array,
  position: number,
  { sector, count }: Pick<SectorRun, "sector" | "count">,
): void {
  for (let at = sector; at < sector + count;) {
    const byte = position + Math.floor(at / BITS);
    const isWhole = at % BITS === 0 && at + BITS <= sector + count;
    bytes[byte] = isWhole ? ALL : (bytes[byte] ?? 0) | 1 << at % BITS;
    at += isWhole ? BITS : 1;
  }
}
