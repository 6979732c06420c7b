/**
 * Splits a command line as getopt_long(3) of glibc does (posix/getopt.c): short clusters, attached
 * and separate arguments, unambiguous prefixes of long names, operands anywhere, `--`. The error
 * texts are glibc's.
 *
 * Tokens come one at a time, so that a caller reports the leftmost fault first, whether it is an
 * unknown option or a value it cannot use, and stops reading at `--help`.
 *
 * @module
 */
import { UsageError } from "./usage_error.ts";

/** As has_arg in getopt_long's table: an optional argument is always attached (`--opt=value`). */
export type ArgumentRule = "none" | "required" | "optional";

/** What the parser has to know of an option. */
export interface OptionSpec {
  /** Long names without dashes; the first is the option's own, the others are further spellings. */
  readonly long: readonly [string, ...string[]];
  /** The short letter, or empty. */
  readonly short: string;
  readonly argument: ArgumentRule;
  /**
   * An option added to another program's: its names never make a prefix ambiguous that the other
   * program understands (`--f` stays `--find`).
   */
  readonly extension?: boolean;
}

/** One occurrence of an option. */
export interface OptionToken<O> {
  readonly kind: "option";
  readonly option: O;
  /** The option as error texts name it: `-d` or `--detach`. */
  readonly spelling: string;
  readonly value: string | undefined;
  /** Index of the word, in the arguments, that names the option. */
  readonly wordIndex: number;
  /** Whether the option is the last thing in its word, so that a following word is right behind. */
  readonly endsWord: boolean;
}

/** A word that is not an option, nor an option's argument. */
export interface OperandToken {
  readonly kind: "operand";
  readonly word: string;
  readonly wordIndex: number;
}

export type Token<O> = OptionToken<O> | OperandToken;

/**
 * The tokens of `args`, in order.
 *
 * @throws {UsageError} with a hint, at the first word that does not fit `table`
 */
export function* getopt<O extends OptionSpec>(
  args: readonly string[],
  table: readonly O[],
): Generator<Token<O>> {
  const words = new WordReader(args);
  let optionsEnded = false;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (optionsEnded || !looksLikeOption(word)) {
      yield { kind: "operand", word, wordIndex: words.index };
    } else if (word === "--") {
      optionsEnded = true;
    } else if (word.startsWith("--")) {
      yield longOption(words, word, table);
    } else {
      yield* shortCluster(words, word, table);
    }
  }
}

/** The error for an option, spelled `-d` or `--detach`, whose argument is missing. */
export function missingArgument(spelling: string): UsageError {
  return grammarError(
    spelling.startsWith("--")
      ? `option '${spelling}' requires an argument`
      : `option requires an argument -- '${spelling.slice(1)}'`,
  );
}

function grammarError(message: string): UsageError {
  return new UsageError(message, { hint: true });
}

function unknownOption(message: string, spelling: string): UsageError {
  return new UsageError(message, { hint: true, unknownOption: spelling });
}

function looksLikeOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

/** Walks over the words; both the main loop and arguments of options take from it. */
class WordReader {
  readonly #args: readonly string[];
  #taken = 0;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** Index of the word taken last. */
  get index(): number {
    return this.#taken - 1;
  }

  next(): string | undefined {
    return this.#taken < this.#args.length ? this.#args[this.#taken++] : undefined;
  }
}

function longOption<O extends OptionSpec>(
  words: WordReader,
  word: string,
  table: readonly O[],
): OptionToken<O> {
  const { option, name, attached } = splitLong(word, table);
  const spelling = `--${name}`;
  const wordIndex = words.index;
  if (attached !== undefined && option.argument === "none") {
    throw grammarError(`option '${spelling}' doesn't allow an argument`);
  }
  const value = attached ?? separateArgument(words, option, spelling);
  return { kind: "option", option, spelling, value, wordIndex, endsWord: attached === undefined };
}

function* shortCluster<O extends OptionSpec>(
  words: WordReader,
  word: string,
  table: readonly O[],
): Generator<OptionToken<O>> {
  const wordIndex = words.index;
  for (let position = 1; position < word.length;) {
    const letter = letterAt(word, position);
    const option = table.find((candidate) => candidate.short === letter);
    if (option === undefined) throw unknownOption(`invalid option -- '${letter}'`, `-${letter}`);
    const spelling = `-${letter}`;
    const rest = word.slice(position + letter.length);
    const attached = option.argument === "none" || rest === "" ? undefined : rest;
    const value = attached ?? separateArgument(words, option, spelling);
    yield { kind: "option", option, spelling, value, wordIndex, endsWord: rest === "" };
    position = attached === undefined ? position + letter.length : word.length;
  }
}

/** The character at `position`, whole even outside the Basic Multilingual Plane. */
function letterAt(word: string, position: number): string {
  return String.fromCodePoint(word.codePointAt(position) ?? 0);
}

/** The next word, for an option that requires an argument and has none attached. */
function separateArgument(
  words: WordReader,
  option: OptionSpec,
  spelling: string,
): string | undefined {
  if (option.argument !== "required") return undefined;
  const value = words.next();
  if (value === undefined) throw missingArgument(spelling);
  return value;
}

interface LongName<O> {
  readonly option: O;
  readonly name: string;
}

interface LongMatch<O> extends LongName<O> {
  readonly attached: string | undefined;
}

function splitLong<O extends OptionSpec>(word: string, table: readonly O[]): LongMatch<O> {
  const equals = word.indexOf("=");
  const prefix = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const attached = equals < 0 ? undefined : word.slice(equals + 1);
  const names = table.flatMap((option) => option.long.map((name) => ({ option, name })));
  const exact = names.find(({ name }) => name === prefix);
  return { ...exact ?? onlyMatch(word, prefix, names), attached };
}

/** The name that `prefix` abbreviates; several names of one option are no ambiguity. */
function onlyMatch<O extends OptionSpec>(
  word: string,
  prefix: string,
  names: readonly LongName<O>[],
): LongName<O> {
  const matches = names.filter(({ name }) => name.startsWith(prefix));
  const native = matches.filter(({ option }) => !option.extension);
  const [first, ...others] = native.length > 0 ? native : matches;
  if (first === undefined) throw unknownOption(`unrecognized option '${word}'`, `--${prefix}`);
  const rivals = others.filter(({ option }) => option !== first.option);
  if (rivals.length === 0) return first;
  const possibilities = [first, ...rivals].map(({ name }) => `'--${name}'`).join(" ");
  throw grammarError(`option '${word}' is ambiguous; possibilities: ${possibilities}`);
}
