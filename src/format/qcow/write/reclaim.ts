/**
 * Clusters that count as used and are not, as a writer leaves them that is killed: what it had in reserve,
 * and what it had counted and not referred to yet.
 *
 * @module
 */
import { ImageFormatError } from "../../../image/errors.ts";
import { repair } from "../check/repair.ts";
import { survey } from "../check/survey.ts";
import { readHeader } from "../header.ts";
import { changeTablesOnDisk, type TablesInMemory } from "./tables_anew.ts";

const NOBODY_LISTENS = { report: (): void => {} };

/**
 * Frees them. An image with faults, or one that takes too much memory to look at, is left as it is.
 *
 * @throws {SystemError} if it cannot be read, or written
 */
export function reclaim(tables: TablesInMemory): void {
  const { file } = tables;
  try {
    const found = survey(file, readHeader(file), NOBODY_LISTENS);
    if (found.findings.corruptions > 0) return;
    changeTablesOnDisk(tables, () => {
      repair(file, found, { ...NOBODY_LISTENS, repair: "leaks" });
    });
  } catch (error) {
    if (error instanceof ImageFormatError || error instanceof RangeError) return;
    throw error;
  }
}
