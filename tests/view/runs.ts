/**
 * Lists of runs for tests, and what they say of each byte.
 *
 * @module
 */
import fc from "fast-check";
import { Run } from "../../src/disk/runs.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { RunKind, RunList } from "../../src/view/run_list.ts";

/** A run as words. */
export interface RunWords {
  readonly kind: RunKind;
  readonly lengthBytes: number;
  /** Plain: number of the file, and where in it. */
  readonly file?: number;
  readonly hostOffset?: number;
}

/** The list of some runs. */
export function listOf(files: readonly ImageFile[], runs: readonly RunWords[]): RunList {
  const list = new RunList(files);
  for (const words of runs) list.add(runOf(files, words));
  return list;
}

/** What an image would answer. */
export function runOf(
  files: readonly ImageFile[],
  { kind, lengthBytes, file, hostOffset = 0 }: RunWords,
): Run {
  const run = new Run();
  run.lengthBytes = lengthBytes;
  run.isZero = kind === RunKind.Zero;
  run.file = kind === RunKind.Plain ? files[file ?? 0] : undefined;
  run.hostOffset = hostOffset;
  return run;
}

export function sizeOf(runs: readonly RunWords[]): number {
  return runs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/** Numbers that are multiples of small and of large powers of two. */
function multiples(most: number): fc.Arbitrary<number> {
  return fc.tuple(fc.integer({ min: 0, max: 22 }), fc.integer({ min: 0, max: 64 }))
    .map(([bits, count]) => Math.min(count * 2 ** bits, most));
}

const MIB = 1024 * 1024;

/** Runs of all kinds, also such as no honest image has: anywhere, of any length. */
export function anyRuns(mostHostOffset: number): fc.Arbitrary<RunWords[]> {
  const run = fc.record({
    kind: fc.constantFrom(RunKind.Zero, RunKind.Plain, RunKind.Plain, RunKind.Special),
    lengthBytes: multiples(4 * MIB).map((length) => Math.max(1, length)),
    file: fc.integer({ min: 0, max: 2 }),
    hostOffset: fc.oneof(
      multiples(mostHostOffset),
      fc.integer({ min: 0, max: mostHostOffset }),
      multiples(64 * MIB).map((below) => mostHostOffset - Math.min(below, mostHostOffset)),
    ),
  });
  return fc.array(run, { minLength: 1, maxLength: 12 });
}
