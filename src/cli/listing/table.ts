/**
 * Tables as libsmartcols prints them (util-linux 2.38.1, libsmartcols/src/calculate.c and print.c):
 * one space between columns, widths by what a terminal shows, headings only if there are rows.
 *
 * @module
 */
import { displayWidth } from "./display_width.ts";
import { shortened } from "./shorten.ts";
import { type CharacterSet, safeText } from "../../sys/safe_text.ts";

export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
  /**
   * From 1: the least width. Below 1: the column may become narrower than its cells where the
   * terminal is too narrow. Left out: neither.
   */
  readonly widthHint?: number;
  /** What no cell makes it wider than: after one that is longer, the line goes on below. */
  readonly maxWidth?: number;
}

export interface TableOptions {
  /** Whether there is a line of headings: yes, if left out. */
  readonly headings?: boolean;
  /** Width of the terminal; left out where the output is no terminal, and may have any width. */
  readonly terminalColumns?: number | undefined;
  /** UTF-8 if left out. */
  readonly characterSet?: CharacterSet;
  /**
   * What stands for the part of a cell that a narrow terminal has no room for. Without it, such a cell
   * is printed whole, and its line goes on below, as with libsmartcols.
   */
  readonly omission?: string;
}

/**
 * Lays out `rows`, whose cells are in the order of `columns`; a missing cell is empty.
 *
 * @returns the lines, each ended, or nothing at all if there are no rows
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { headings = true, terminalColumns, characterSet, omission }: TableOptions = {},
): string {
  if (rows.length === 0) return "";
  let cells = rows.map((row) => columns.map((_, at) => safeText(row[at] ?? "", characterSet)));
  const layout = layOut(columns, cells);
  if (terminalColumns !== undefined && omission !== undefined) {
    narrowWidest(layout, terminalColumns);
    cells = cells.map((row) => shortenedRow(layout, row, omission));
  } else if (terminalColumns !== undefined) {
    narrow(layout, terminalColumns);
  }
  const lines = headings ? [columns.map(({ heading }) => heading), ...cells] : cells;
  return lines.map((line) => formatLine(layout, line)).join("");
}

/** A column with the width it has got. */
interface Placed {
  readonly column: Column;
  readonly minimum: number;
  width: number;
}

function layOut(columns: readonly Column[], cells: readonly (readonly string[])[]): Placed[] {
  return columns.map((column, at) => {
    const minimum = Math.max(1, displayWidth(column.heading));
    const widest = cells.reduce((width, row) => Math.max(width, displayWidth(row[at] ?? "")), 0);
    const width = Math.min(column.maxWidth ?? Infinity, naturalWidth(column, minimum, widest));
    return { column, minimum, width };
  });
}

function naturalWidth({ widthHint = 0 }: Column, minimum: number, widest: number): number {
  if (widest < minimum) return minimum;
  return minimum < widthHint ? Math.max(widest, Math.floor(widthHint)) : widest;
}

/** The columns that may become narrower than their cells. */
function flexibleColumns(layout: readonly Placed[]): Placed[] {
  return layout.filter(({ column: { widthHint = 0 } }) => widthHint > 0 && widthHint < 1);
}

/** By how many columns a line is too wide. */
function excessOf(layout: readonly Placed[], terminalColumns: number): number {
  return layout.reduce((sum, { width }) => sum + width + 1, -1) - terminalColumns;
}

/** Takes from the flexible column that is the widest at the time, until a line fits. */
function narrowWidest(layout: readonly Placed[], terminalColumns: number): void {
  const flexible = flexibleColumns(layout);
  for (let excess = excessOf(layout, terminalColumns); excess > 0; excess--) {
    const [widest] = flexible.filter(({ width, minimum }) => width > minimum)
      .sort((a, b) => b.width - a.width);
    if (widest === undefined) return;
    widest.width--;
  }
}

function shortenedRow(
  layout: readonly Placed[],
  row: readonly string[],
  mark: string,
): string[] {
  return layout.map(({ width }, at) => shortened(row[at] ?? "", { width, mark }));
}

/** Takes from the columns with a relative width, one place of each in turn, until a line fits. */
function narrow(layout: readonly Placed[], terminalColumns: number): void {
  const flexible = flexibleColumns(layout);
  let excess = excessOf(layout, terminalColumns);
  let shrunk = true;
  while (shrunk) {
    shrunk = false;
    for (const placed of flexible) {
      if (excess <= 0 || placed.width === placed.minimum) continue;
      placed.width--;
      excess--;
      shrunk = true;
    }
  }
}

function formatLine(layout: readonly Placed[], cells: readonly string[]): string {
  return `${layout.map((_, at) => formatCell(layout, at, cells[at] ?? "")).join("")}\n`;
}

/** A cell with the space around it. */
function formatCell(layout: readonly Placed[], at: number, cell: string): string {
  const { column: { align = "left" } = {}, width = 0 } = layout[at] ?? {};
  const isLast = at === layout.length - 1;
  const padding = " ".repeat(Math.max(0, width - displayWidth(cell)));
  // Where there is nothing, nothing is lined up.
  if (align === "right" && cell !== "") return isLast ? padding + cell : `${padding}${cell} `;
  if (isLast) return cell;
  // After a cell that is too long for its column, the line goes on below the next column.
  return displayWidth(cell) > width ? `${cell}\n${indentation(layout, at)}` : `${cell}${padding} `;
}

function indentation(layout: readonly Placed[], at: number): string {
  return layout.slice(0, at + 1).map(({ width }) => " ".repeat(width + 1)).join("");
}
