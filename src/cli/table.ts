/**
 * Plain tables as libsmartcols prints them for `losetup --list` where the output is not cut to a
 * terminal's width: one space between columns, widths by what a terminal shows, headings only if
 * there are rows.
 *
 * @module
 */
import { displayWidth } from "./display_width.ts";

export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

/**
 * Lays out `rows`, whose cells are in the order of `columns`; a missing cell is empty.
 *
 * @returns the lines, each ended, or nothing at all if there are no rows
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  if (rows.length === 0) return "";
  const headings = columns.map(({ heading }) => heading);
  const lines = [headings, ...rows].map((cells) =>
    columns.map((_, index) => escapeCell(cells[index] ?? ""))
  );
  const widths = columns.map((_, index) => widestCell(lines, index));
  return lines.map((cells) => formatLine(columns, cells, widths)).join("");
}

/**
 * Makes a file name safe to print, as libsmartcols does (include/mbsalign.h: `mbs_safe_encode`):
 * control and unassigned characters become `\xNN` for each byte, and a backslash that would read as
 * such an escape becomes `\x5c`.
 */
export function escapeCell(text: string): string {
  return text.replace(UNSAFE, hexEscapes);
}

/** Control, unassigned, lone surrogate, line and paragraph separator; a backslash before an x. */
const UNSAFE = /[\p{Cc}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]|\\(?=x)/gu;

function hexEscapes(character: string): string {
  const bytes = new TextEncoder().encode(character);
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function widestCell(lines: readonly (readonly string[])[], index: number): number {
  return lines.reduce((width, cells) => Math.max(width, displayWidth(cells[index] ?? "")), 0);
}

function formatLine(
  columns: readonly Column[],
  cells: readonly string[],
  widths: readonly number[],
): string {
  const padded = columns.map(({ align }, index) => {
    const cell = cells[index] ?? "";
    const padding = " ".repeat((widths[index] ?? 0) - displayWidth(cell));
    if (align === "right") return padding + cell;
    return index === columns.length - 1 ? cell : cell + padding;
  });
  return `${padded.join(" ")}\n`;
}
