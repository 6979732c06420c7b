import type { FormatNames } from "../../../src/cli/words/values.ts";

/** A stand-in for the registry. */
export const FORMATS: FormatNames = {
  names: ["RAW", "QCOW"],
  canonical(name: string): string | undefined {
    return new Map([["RAW", "RAW"], ["QCOW", "QCOW"], ["QCOW2", "QCOW"]]).get(name.toUpperCase());
  },
};
