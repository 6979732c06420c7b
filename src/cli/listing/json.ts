/**
 * Listings as JSON, to the byte as libsmartcols writes it (lib/jsonwrt.c of util-linux): three blanks
 * for each level, keys in the order of the columns.
 *
 * @module
 */
import type { ListColumn } from "./columns.ts";

/** Name of the array with the devices. */
const ARRAY_NAME = "loopdevices";

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
};

/** One object for each row; a missing cell is null. */
export function formatJson(
  columns: readonly ListColumn[],
  rows: readonly (readonly (string | undefined)[])[],
): string {
  const objects = rows.map((row) => formatObject(columns, row)).join(",");
  const indent = rows.length === 0 ? "" : "      ";
  return `{\n   "${ARRAY_NAME}": [\n${indent}${objects}\n   ]\n}\n`;
}

function formatObject(
  columns: readonly ListColumn[],
  row: readonly (string | undefined)[],
): string {
  const members = columns.map((column, at) =>
    `         "${column.heading.toLowerCase()}": ${formatValue(column, row[at] ?? "")}`
  );
  return `{\n${members.join(",\n")}\n      }`;
}

function formatValue({ json }: ListColumn, cell: string): string {
  if (json === "boolean") return cell === "" || cell === "0" ? "false" : "true";
  if (cell === "") return "null";
  return json === "number" ? cell : `"${escapeString(cell)}"`;
}

/** Bytes that are no text stay what they are, as in losetup's output. */
function escapeString(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/["\\\x00-\x1f]/g, (character) => ESCAPES[character] ?? codeOf(character));
}

function codeOf(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
