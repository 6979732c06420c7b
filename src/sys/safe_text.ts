/**
 * Text from elsewhere (file names, and what images say of themselves) made safe to print: the one place
 * that decides what may reach a terminal or a log.
 *
 * @module
 */
import { encodeText } from "./text.ts";

/** The characters that the reader's locale has. */
export type CharacterSet = "utf-8" | "ascii";

/**
 * Control (C0 and C1), format (which can turn the direction of what follows, or cannot be seen),
 * unassigned, lone surrogate, line and paragraph separator; a backslash before an x.
 */
const UNSAFE = {
  "utf-8": /[\p{Cc}\p{Cf}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]|\\(?=x)/gu,
  "ascii": /[^\x20-\x7e]|\\(?=x)/gu,
} as const;

/** Text without any of them. The pattern above takes a millisecond to be made, at its first use. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

/** What ends or changes a word, and all that is not ASCII (include/carefulputc.h: `fputs_nonblank`). */
const NO_WORD = /[^\x21-\x7e]|\\/gu;

/**
 * Makes text safe for a terminal as libsmartcols does (include/mbsalign.h: `mbs_safe_encode`), and
 * format characters as well, which that lets pass: each byte of them, and of what is no text, becomes
 * `\xNN`, and a backslash that would read as such an escape becomes `\x5c`.
 */
export function safeText(text: string, characterSet: CharacterSet = "utf-8"): string {
  return PLAIN.test(text) ? text : text.replace(UNSAFE[characterSet], hexEscapes);
}

/** Makes text one word, for `--raw`: blanks are escaped, too, and every backslash. */
export function rawWord(text: string): string {
  return text.replace(NO_WORD, hexEscapes);
}

function hexEscapes(character: string): string {
  const escape = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
  return Array.from(encodeText(character), escape).join("");
}
