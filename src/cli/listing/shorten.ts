/**
 * Text that is too long for its place on a terminal.
 *
 * @module
 */
import { displayWidth } from "./display_width.ts";

/** How much of what is left is the end of the text: by that, file names are told apart. */
const SHARE_OF_END = 2 / 3;

export interface Place {
  /** In columns of the terminal; more than those of the mark. */
  readonly width: number;
  /** What stands for the part that is left out. */
  readonly mark: string;
}

/** `text`, without its middle if it is wider than its place. */
export function shortened(text: string, { width, mark }: Place): string {
  if (displayWidth(text) <= width) return text;
  const room = width - displayWidth(mark);
  const characters = Array.from(text);
  const end = fitting(characters.toReversed(), Math.ceil(room * SHARE_OF_END)).reverse();
  const start = fitting(characters, room - displayWidth(end.join("")));
  return [...start, mark, ...withoutMarksAtStart(end)].join("");
}

/** As many of `characters` as fit into `width`. */
function fitting(characters: readonly string[], width: number): string[] {
  const fit: string[] = [];
  let used = 0;
  for (const character of characters) {
    used += displayWidth(character);
    if (used > width) break;
    fit.push(character);
  }
  return fit;
}

/** A combining mark without the letter it belongs to would join the one before. */
function withoutMarksAtStart(characters: readonly string[]): string[] {
  const first = characters.findIndex((character) => displayWidth(character) > 0);
  return first < 0 ? [] : characters.slice(first);
}
