/**
 * Options as fstab(5) has them: `ro,format=qcow,snapshot="a,b"`.
 *
 * @module
 */
import { AUTO_FORMAT, RAW } from "../../image/formats.ts";
import type { OptionName } from "./option_table.ts";
import type { FormatNames } from "./values.ts";

/** One of them. */
export interface ListedOption {
  readonly name: string;
  /** Without the quotes around it; undefined if there is no `=`. */
  readonly value: string | undefined;
  /** As it was written. */
  readonly text: string;
}

/** Between commas; those in double quotes belong to a value. */
const ONE_OPTION = /(?:"[^"]*"|[^,"])+/g;

export function listedOptions(list: string): ListedOption[] {
  return (list.match(ONE_OPTION) ?? []).map((text) => {
    const equals = text.indexOf("=");
    if (equals < 0) return { name: text, value: undefined, text };
    return { name: text.slice(0, equals), value: text.slice(equals + 1).replaceAll('"', ""), text };
  });
}

/** What says which disk of an image is meant, and what may be opened for it. */
export const DISK_OPTIONS = [
  "backing-fmt",
  "no-backing",
  "parent",
  "allow-backing",
  "key-file",
  "snapshot",
  "overlay",
  "overlay-size",
] as const;
export const CACHE_OPTIONS = ["cache-size", "data-cache-size", "cache-clean-interval"] as const;

/** What is said of images in such a list, too, in the words of the command line. */
export const LISTED_SETTINGS = [
  "offset",
  "sizelimit",
  "sector-size",
  "direct-io",
  ...DISK_OPTIONS,
  ...CACHE_OPTIONS,
  "cache",
  "detect-zeroes",
  "transport",
  "kernel-decode",
  "no-revive",
] as const satisfies readonly OptionName[];

/** What the command line calls one of our options, undefined if it is another program's. */
export function ownWord(
  { name, value }: ListedOption,
  names: readonly string[] = LISTED_SETTINGS,
): string | undefined {
  if (name === "format") return `--file-fmt-type=${value ?? ""}`;
  if (!names.includes(name)) return undefined;
  return value === undefined ? `--${name}` : `--${name}=${value}`;
}

/** What a guest cannot change, other than the content: the end of the file's name, else RAW. */
export function formatByName(file: string, formats: FormatNames): string {
  const end = /\.([^./]+)\/*$/.exec(file)?.[1] ?? "";
  const format = end.toLowerCase() === AUTO_FORMAT ? undefined : formats.canonical(end);
  return format ?? RAW.name;
}

/** The word for that, unless the options say what format it is. */
export function formatWords(
  options: readonly ListedOption[],
  file: string,
  formats: FormatNames,
): string[] {
  const isGiven = options.some(({ name }) => name === "format");
  return isGiven ? [] : [`--file-fmt-type=${formatByName(file, formats)}`];
}
