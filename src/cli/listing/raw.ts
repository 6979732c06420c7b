/**
 * `--raw`: one blank between cells, which are one word each.
 *
 * @module
 */
import { rawWord } from "../../sys/safe_text.ts";
import type { Column } from "./table.ts";

export interface RawOptions {
  readonly headings: boolean;
}

/** The lines, each ended; nothing, not even headings, if there are no rows. */
export function formatRaw(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { headings }: RawOptions,
): string {
  if (rows.length === 0) return "";
  const lines = headings ? [columns.map(({ heading }) => heading), ...rows] : rows;
  return lines.map((cells) => `${cells.map(rawWord).join(" ")}\n`).join("");
}
