/**
 * The refcount blocks themselves: where they are, and that nothing else is there.
 *
 * @module
 */
import { hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import type { Findings } from "./findings.ts";
import type { References } from "./references.ts";
import type { StoredCounts } from "./stored_counts.ts";

export interface StructureParts {
  readonly header: Pick<Header, "clusterBytes">;
  readonly findings: Findings;
  readonly references: References;
  readonly stored: StoredCounts;
}

/** Counts the refcount blocks, after everything else has been counted. */
export function addRefcountStructures(
  { header, findings, references, stored }: StructureParts,
): void {
  const { clusterBytes } = header;
  for (let index = 0; index < stored.tableEntries; index++) {
    const offset = stored.blockOffset(index);
    const describe = (what: string) => (): string =>
      `refcount block ${index} at ${hex(offset)} ${what}`;
    const fault = stored.faultOf(index);
    if (fault !== "none") {
      findings.corrupt(describe(fault === "not aligned" ? "is not aligned" : "has reserved bits"));
      findings.rebuild();
    } else if (offset / clusterBytes >= references.endCluster) {
      findings.corrupt(describe("lies behind the end of the file"));
      findings.rebuild();
    } else if (offset !== 0) {
      references.add(offset, clusterBytes, 1);
      const count = references.counts.get(offset / clusterBytes);
      if (count === 1) continue;
      if (references.most > 1) findings.corrupt(describe(`is used ${count} times`));
      findings.rebuild();
    }
  }
}
