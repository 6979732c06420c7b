/**
 * What `--check` prints: the words and the JSON of `qemu-img check` (QAPI, `ImageCheck`).
 *
 * @module
 */
import type { CheckResult } from "../image/checking.ts";

const INDENT = 4;

/** With all keys whose value is not 0; `check-errors` is always there. */
export function checkJson(path: string, format: string, result: CheckResult): string {
  const numbers: Readonly<Record<string, number>> = {
    "image-end-offset": result.imageEndOffset,
    "total-clusters": result.totalClusters,
    "allocated-clusters": result.allocatedClusters,
    "fragmented-clusters": result.fragmentedClusters,
    "compressed-clusters": result.compressedClusters,
    "corruptions": result.corruptions,
    "leaks": result.leaks,
    "corruptions-fixed": result.corruptionsFixed,
    "leaks-fixed": result.leaksFixed,
  };
  const known = Object.entries(numbers).filter(([, value]) => value !== 0);
  const fields = { filename: path, format, "check-errors": 0, ...Object.fromEntries(known) };
  return `${JSON.stringify(fields, undefined, INDENT)}\n`;
}

/** For people. */
export function checkText(result: CheckResult): string {
  return repairText(result) + verdictText(result) + fillText(result);
}

function repairText({ leaksFixed, corruptionsFixed }: CheckResult): string {
  if (leaksFixed === 0 && corruptionsFixed === 0) return "";
  return "The following inconsistencies were found and repaired:\n\n" +
    `    ${leaksFixed} leaked clusters\n    ${corruptionsFixed} corruptions\n\n` +
    "Double checking the fixed image now...\n";
}

function verdictText({ corruptions, leaks }: CheckResult): string {
  if (corruptions === 0 && leaks === 0) return "No errors were found on the image.\n";
  const errors = `\n${corruptions} errors were found on the image.\n` +
    "Data may be corrupted, or further writes to the image may corrupt it.\n";
  const waste = `\n${leaks} leaked clusters were found on the image.\n` +
    "This means waste of disk space, but no harm to data.\n";
  return (corruptions > 0 ? errors : "") + (leaks > 0 ? waste : "");
}

function fillText(result: CheckResult): string {
  const { allocatedClusters: allocated, totalClusters: total, imageEndOffset } = result;
  const part = (count: number, of: number): string => `${(count * 100 / of).toFixed(2)}%`;
  const fill = `${allocated}/${total} = ${part(allocated, total)} allocated, ` +
    `${part(result.fragmentedClusters, allocated)} fragmented, ` +
    `${part(result.compressedClusters, allocated)} compressed clusters\n`;
  const end = imageEndOffset > 0 ? `Image end offset: ${imageEndOffset}\n` : "";
  return (allocated > 0 && total > 0 ? fill : "") + end;
}
