/**
 * Names of the files that an image consists of.
 *
 * @module
 */

const DIGITS = 99;
const LETTERS = 26;
/** "A" as the first letter behind the point, in capital letters. */
const CODE_OF_A = 65;

/** How many segments have names, from .E01 to .ZZZ. */
export const MAX_SEGMENTS: number = DIGITS + 22 * LETTERS * LETTERS;

/**
 * The name of a segment: .E01 to .E99, .EAA to .EZZ, .FAA and so on to .ZZZ.
 *
 * @param first name of the first segment, which ends with .E01 or .e01
 * @param number from 1 on
 * @returns undefined if `first` is no such name
 */
export function segmentName(first: string, number: number): string | undefined {
  if (!/\.e01$/i.test(first)) return undefined;
  const stem = first.slice(0, -3);
  const isSmall = first.at(-3) === "e";
  const ending = endingOf(number);
  return stem + (isSmall ? ending.toLowerCase() : ending);
}

/** What the first segment of an image is called that has a segment at `path`, if the name of that tells. */
export function firstSegmentName(path: string): string | undefined {
  const ending = path.slice(-4);
  if (!/^\.[e-z](?:\d\d|[a-z]{2})$/i.test(ending)) return undefined;
  return path.slice(0, -3) + (ending === ending.toLowerCase() ? "e01" : "E01");
}

function endingOf(number: number): string {
  if (number <= DIGITS) return `E${String(number).padStart(2, "0")}`;
  const index = number - DIGITS - 1;
  const first = Math.floor(index / LETTERS ** 2) + "E".charCodeAt(0) - CODE_OF_A;
  const letters = [first, Math.floor(index / LETTERS) % LETTERS, index % LETTERS];
  return String.fromCharCode(...letters.map((letter) => CODE_OF_A + letter));
}
