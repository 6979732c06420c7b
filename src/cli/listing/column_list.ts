/**
 * The argument of `-O`, read as util-linux reads it (lib/strutils.c: `string_add_to_idarray`).
 *
 * @module
 */
import { UsageError } from "../words/usage_error.ts";
import type { ColumnChoice } from "./chosen_columns.ts";
import { type ColumnName, LIST_COLUMNS } from "./columns.ts";

export interface ColumnOptions {
  /** The argument of `-O`, if there is one. */
  readonly list: string | undefined;
  /** Whether `--output-all` was given. */
  readonly all: boolean;
}

/**
 * What is asked for: `NAME,RO` replaces the columns, `+NAME,RO` adds to them.
 *
 * @throws {UsageError} at the first name that is no column's, with all that follows, as losetup says
 *   it; where losetup fails without a word because a name is empty, too
 */
export function chooseColumns({ list, all }: ColumnOptions): ColumnChoice {
  const base = all ? "all" : "default";
  if (list === undefined) return { base, added: [] };
  if (list.startsWith("+")) return { base, added: parseNames(list.slice(1)) };
  return { base: "none", added: parseNames(list) };
}

function parseNames(list: string): ColumnName[] {
  const words = wordsOf(list);
  return words.map((word, index) => {
    const name = findColumn(word);
    if (name !== undefined) return name;
    throw new UsageError(`unknown column: ${words.slice(index).join(",")}`);
  });
}

/** A comma at the very end belongs to the name before it, as in losetup. */
function wordsOf(list: string): string[] {
  const words = list.split(",");
  const last = words.at(-1);
  if (words.length < 2 || last !== "") return words;
  return [...words.slice(0, -2), `${words.at(-2)},`];
}

function findColumn(word: string): ColumnName | undefined {
  const wanted = word.toUpperCase();
  return LIST_COLUMNS.find(({ heading }) => heading === wanted)?.heading;
}
