/**
 * Words as they are typed in a shell.
 *
 * @module
 */

/** What a shell takes as one word as it stands. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/**
 * `word` as a shell takes it.
 *
 * @example
 * ```ts
 * shellWord("old disk's.img"); // "'old disk'\\''s.img'"
 * ```
 */
export function shellWord(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `path` as a shell takes it, and no program takes for an option. */
export function shellPath(path: string): string {
  return shellWord(path.startsWith("-") ? `./${path}` : path);
}
