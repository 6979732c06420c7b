/**
 * A line on standard error that says how far something is, if that is a terminal.
 *
 * @module
 */
import { printError } from "../sys/console.ts";
import { safeText } from "../sys/safe_text.ts";

/** Back to the start of the line, which is cleared (ECMA-48: EL). */
const CLEAR = "\r\x1b[K";

export class ProgressLine implements Disposable {
  readonly #isShown = Deno.stderr.isTerminal();
  readonly #label: string;
  #percent = -1;

  /** @param label what is so far, where that is not what the command was asked for */
  constructor(label?: string) {
    this.#label = label === undefined ? "" : `${label}: `;
  }

  /** @param part 0 up to 1 */
  show(part: number): void {
    const percent = Math.floor(part * 100);
    if (!this.#isShown || percent === this.#percent) return;
    this.#percent = percent;
    printError(`${CLEAR}${this.#label}${String(percent).padStart(3)} %`);
  }

  /** Prints a line that stays. */
  printAbove(line: string): void {
    this.clear();
    printError(`${safeText(line)}\n`);
  }

  clear(): void {
    if (this.#percent >= 0) printError(CLEAR);
    this.#percent = -1;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
