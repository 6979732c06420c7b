/**
 * What a run of the tests has left out, and why: from its report in JUnit's format.
 *
 * @module
 */

const TEST_CASE = /<testcase name="([^"]*)"[^>]*>\s*<skipped\/>/g;
/** How a test that is left out says why, behind its name. */
const REASON = /\[skipped: (.*)\]$/;
const UNKNOWN = "for reasons of their own";
/** As missingTools() says it. */
const MISSING = /^(.*) not installed$/;

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

type Reason = [reason: string, tests: number];

/** Reasons with how many tests each has left out, the most frequent first. */
export function leftOut(report: string): Reason[] {
  const counts = new Map<string, number>();
  for (const [, name = ""] of report.matchAll(TEST_CASE)) {
    const reason = REASON.exec(decoded(name))?.[1] ?? UNKNOWN;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return mostFrequentFirst(counts);
}

function decoded(text: string): string {
  return text.replaceAll(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);
}

/** The closing lines of a run; none if nothing was left out. */
export function leftOutLines(report: string): string[] {
  const reasons = leftOut(report);
  if (reasons.length === 0) return [];
  const others = reasons.filter(([reason]) => !MISSING.test(reason));
  const rows = [...missingPrograms(reasons), ...others]
    .map(([reason, count]) => `${String(count).padStart(5)}  ${reason}`);
  const total = sumOf(reasons);
  return [`left out: ${total} ${total === 1 ? "test" : "tests"}`, ...rows];
}

/** The tests for want of programs in one row, with how many want for which. */
function missingPrograms(reasons: readonly Reason[]): Reason[] {
  const wanting = reasons.filter(([reason]) => MISSING.test(reason));
  if (wanting.length === 0) return [];
  const counts = new Map<string, number>();
  for (const [reason, count] of wanting) {
    for (const name of (MISSING.exec(reason)?.[1] ?? "").split(", ")) {
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
  }
  const names = mostFrequentFirst(counts).map(([name, count]) => `${name} (${count})`);
  return [[`not installed: ${names.join(", ")}`, sumOf(wanting)]];
}

function sumOf(reasons: readonly Reason[]): number {
  return reasons.reduce((sum, [, count]) => sum + count, 0);
}

function mostFrequentFirst(counts: ReadonlyMap<string, number>): Reason[] {
  return [...counts].toSorted(([, one], [, other]) => other - one);
}
