/**
 * What is installed beside the program: its man page and completions, for `install.sh` and packagers.
 *
 * @module
 */
import { print } from "../../sys/console.ts";
import { UsageError } from "../words/usage_error.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { manPage } from "./man_page.ts";
import { zshCompletion } from "./zsh.ts";

const GENERATORS: Readonly<Record<string, () => string>> = {
  man: manPage,
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/**
 * Prints the man page (`man`) or the completions for a shell (`bash`, `zsh`, `fish`).
 *
 * @returns the exit code
 */
export function generate(kind: string): number {
  print(generated(kind));
  return 0;
}

/** @throws {UsageError} if there is no such document */
export function generated(kind: string): string {
  const generator = GENERATORS[kind];
  if (generator === undefined) {
    throw new UsageError(`cannot make '${kind}'; known: ${Object.keys(GENERATORS).join(", ")}`);
  }
  return generator();
}
