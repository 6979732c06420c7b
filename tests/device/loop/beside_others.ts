/**
 * More files in a folder of the system's, in a mount namespace.
 *
 * @module
 */
import { shellWord } from "../../../src/cli/words/shell_word.ts";

/** What is to be there. */
export interface Addition {
  /** An empty folder, for what the system has there. */
  readonly others: string;
  /** A file, or a pattern for several. */
  readonly add: string;
}

/** The shell's words that put files into a folder, where the system's own are still found. */
export function besideOthers(folder: string, { others, add }: Addition): string {
  const there = shellWord(others);
  return `mount --bind ${folder} ${there} && mount -t tmpfs none ${folder} && ` +
    `for file in ${there}/*; do ln -s "$file" ${folder}/; done && cp ${add} ${folder}/`;
}
