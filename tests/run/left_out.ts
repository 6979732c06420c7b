/**
 * What a run of the tests has left out, and why: from its report in JUnit's format.
 *
 * @module
 */

const TEST_CASE = /<testcase name="([^"]*)"[^>]*>\s*<skipped\/>/g;
/** How a test that is left out says why, behind its name. */
const REASON = /\[skipped: (.*)\]$/;
const UNKNOWN = "for reasons of their own";

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/** Reasons with how many tests each has left out, the most frequent first. */
export function leftOut(report: string): [reason: string, count: number][] {
  const counts = new Map<string, number>();
  for (const [, name = ""] of report.matchAll(TEST_CASE)) {
    const reason = REASON.exec(decoded(name))?.[1] ?? UNKNOWN;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].toSorted(([, one], [, other]) => other - one);
}

function decoded(text: string): string {
  return text.replaceAll(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);
}

/** The closing lines of a run; none if nothing was left out. */
export function leftOutLines(report: string): string[] {
  const reasons = leftOut(report);
  if (reasons.length === 0) return [];
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  const lines = reasons.map(([reason, count]) => `${String(count).padStart(5)}  ${reason}`);
  return [`left out: ${total} ${total === 1 ? "test" : "tests"}`, ...lines];
}
