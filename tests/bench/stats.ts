/**
 * The few figures the benchmark draws from its samples.
 *
 * @module
 */

/** The middle value, or the mean of the two middle ones. `NaN` of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
  return (lower + upper) / 2;
}

/** How one series compares to another that was measured alternately with it. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Compares round by round: whatever disturbed the machine during a round disturbed both.
 *
 * @param values one value per round
 * @param baseline the same rounds of what is compared to
 */
export function ratioPerRound(values: readonly number[], baseline: readonly number[]): Ratio {
  const ratios = values.slice(0, baseline.length).map((value, round) => {
    return value / (baseline[round] ?? NaN);
  });
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}
