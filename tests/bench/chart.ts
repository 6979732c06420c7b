/**
 * The throughput gain as a bar chart (SVG): one bar for each image, grouped by access pattern.
 *
 * @module
 */
import type { Summary } from "./report.ts";

const BAR_HEIGHT = 14;
const GROUP_GAP = 16;
const LEFT = 190;
const PLOT_WIDTH = 560;
const TOP = 80;
const LEGEND_TOP = 48;
const LEGEND_STEP = 90;
const COLOURS = ["#2f5d8a", "#c06c2b", "#5b8c4a", "#8a4f7d", "#a39a3b", "#6b6b6b"];
const FONT = "font-family='sans-serif' font-size='12'";

/** What a chart is about. */
export interface ChartText {
  readonly title: string;
  readonly subtitle: string;
}

/**
 * Draws the ratios of one competitor to the baseline.
 *
 * @param summaries of this competitor alone, each with a ratio
 */
export function drawChart(summaries: readonly Summary[], text: ChartText): string {
  const images = [...new Set(summaries.map(({ image }) => image))];
  const groups = [...Map.groupBy(summaries, ({ job }) => job).entries()];
  const highest = Math.max(1, ...summaries.map(({ ratio }) => ratio?.highest ?? 0));
  const scale = PLOT_WIDTH / Math.ceil(highest);
  const parts: string[] = [];
  let y = TOP;
  for (const [job, members] of groups) {
    parts.push(label(LEFT - 8, y + members.length * BAR_HEIGHT / 2 + 4, job, "end"));
    for (const member of members) {
      parts.push(bar(member, { y, scale, colour: colourOf(images.indexOf(member.image)) }));
      y += BAR_HEIGHT;
    }
    y += GROUP_GAP;
  }
  const width = LEFT + PLOT_WIDTH + 60;
  return [
    `<svg xmlns='http://www.w3.org/2000/svg' width='${width}' height='${y + 24}'>`,
    `<rect width='100%' height='100%' fill='white'/>`,
    `<text x='12' y='20' font-family='sans-serif' font-size='15'>${escaped(text.title)}</text>`,
    label(12, 38, text.subtitle, "start"),
    ...grid(Math.ceil(highest), { bottom: y - GROUP_GAP / 2, scale }),
    ...legend(images),
    ...parts,
    `</svg>\n`,
  ].join("\n");
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? "black";
}

interface BarPlace {
  readonly y: number;
  readonly scale: number;
  readonly colour: string;
}

/** The median as a bar, and a line from the lowest to the highest round. */
function bar({ ratio }: Summary, { y, scale, colour }: BarPlace): string {
  if (ratio === null) return "";
  const [median, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest]
    .map((value) => (value * scale).toFixed(1));
  const middle = y + BAR_HEIGHT / 2;
  const end = LEFT + Number(highest) + 4;
  return `<rect x='${LEFT}' y='${y + 1}' width='${median}' height='${BAR_HEIGHT - 2}' ` +
    `fill='${colour}'/>` +
    `<line x1='${LEFT + Number(lowest)}' x2='${LEFT + Number(highest)}' y1='${middle}' ` +
    `y2='${middle}' stroke='black'/>` +
    label(end, middle + 4, ratio.median.toFixed(1), "start");
}

function grid(
  highest: number,
  { bottom, scale }: { readonly bottom: number; readonly scale: number },
): string[] {
  return Array.from({ length: highest + 1 }, (_, value) => {
    const x = (LEFT + value * scale).toFixed(1);
    const stroke = value === 1 ? "#b00020" : "#d8d8d8";
    return `<line x1='${x}' x2='${x}' y1='${TOP - 6}' y2='${bottom}' stroke='${stroke}'/>` +
      label(Number(x), bottom + 16, `${value}×`, "middle");
  });
}

function legend(images: readonly string[]): string[] {
  return images.map((image, index) => {
    const x = LEFT + index * LEGEND_STEP;
    return `<rect x='${x}' y='${LEGEND_TOP}' width='12' height='12' fill='${colourOf(index)}'/>` +
      label(x + 18, LEGEND_TOP + 11, image, "start");
  });
}

function label(x: number, y: number, text: string, anchor: "start" | "middle" | "end"): string {
  return `<text x='${x}' y='${y}' text-anchor='${anchor}' ${FONT}>${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
