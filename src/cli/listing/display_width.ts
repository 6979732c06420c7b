/**
 * How many columns of a terminal a text takes, as glibc's wcwidth(3) counts them, by which
 * libsmartcols lays its tables out. (@std/cli has `unicodeWidth` for this, but the npm package that
 * carries @std lacks the table that function reads.)
 *
 * @module
 */

/**
 * East Asian Wide and Fullwidth blocks (UAX #11, EastAsianWidth.txt), unassigned gaps included; the
 * wide characters outside of them are the emoji. First and last code point.
 */
const WIDE_BLOCKS: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f], // Hangul Jamo, leading consonants
  [0x2329, 0x232a], // angle brackets
  [0x2e80, 0x303e], // CJK radicals, symbols and punctuation
  [0x3041, 0xa4cf], // Kana, Bopomofo, enclosed CJK, ideographs, Yi
  [0xa960, 0xa97c], // Hangul Jamo extended A
  [0xac00, 0xd7a3], // Hangul syllables
  [0xf900, 0xfaff], // CJK compatibility ideographs
  [0xfe10, 0xfe19], // vertical forms
  [0xfe30, 0xfe6b], // CJK compatibility forms, small forms
  [0xff01, 0xff60], // fullwidth forms
  [0xffe0, 0xffe6], // fullwidth signs
  [0x16fe0, 0x18d08], // Tangut, Khitan
  [0x1aff0, 0x1b2fb], // Kana supplements, Nushu
  [0x1f200, 0x1f265], // enclosed ideographs
  [0x20000, 0x3fffd], // CJK extensions B and later
];

/** Combining marks, Hangul vowels and finals, and format characters but the soft hyphen. */
const ZERO_WIDTH = /^(?!\u00ad)[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7fb]$/u;
/** Wide by default; the letters that make up flags are narrow each. */
const EMOJI = /^(?!\p{Regional_Indicator})\p{Emoji_Presentation}$/u;

/** Terminal columns of `text`, which has no control characters. */
export function displayWidth(text: string): number {
  return Array.from(text).reduce((width, character) => width + characterWidth(character), 0);
}

function characterWidth(character: string): number {
  const codePoint = character.codePointAt(0) ?? 0;
  if (codePoint < 0x7f) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return isWide(codePoint) || EMOJI.test(character) ? 2 : 1;
}

function isWide(codePoint: number): boolean {
  return WIDE_BLOCKS.some(([first, last]) => first <= codePoint && codePoint <= last);
}
