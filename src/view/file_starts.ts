/**
 * Where in the files of an image their devices begin, so that nothing in one device has the number that
 * something in another one ends with: see {@link ViewMetadata.needsDirectIo}.
 *
 * Where all that is taken from files begins at multiples of a unit there, its numbers differ by what the
 * device leaves out, modulo that unit. What is served has {@link SERVED_LEAD_BYTES} in front of it, and
 * what is copied lies two such steps behind a multiple of the unit ({@link copiesFrom}).
 *
 * @module
 */
import { SERVED_LEAD_BYTES } from "./served_windows.ts";

const STEP_BYTES = SERVED_LEAD_BYTES;
const SERVED_STEPS = 1;
const COPIED_STEPS = 2;

/** What is to be known of a file. */
export interface StartQuestion {
  /** Whether it is a device itself, and shows all of it. */
  readonly isFixed: boolean;
  readonly sizeBytes: number;
  /** Where the first byte lies that is needed of it. */
  readonly leastOffset: number;
}

/**
 * @param unitBytes a power of two
 * @returns undefined if there are too many files for that
 */
export function distinctStarts(
  files: readonly StartQuestion[],
  unitBytes: number,
): number[] | undefined {
  const free = Math.floor(unitBytes / STEP_BYTES) - SERVED_STEPS - (COPIED_STEPS - SERVED_STEPS);
  const taken = new Set<number>();
  const starts: number[] = files.map(() => 0);
  const byNeed = files.map((file, index) => ({ ...file, index }))
    .sort((one, other) => mostStart(one) - mostStart(other));
  for (const { index, ...file } of byNeed) {
    let step = 0;
    while (taken.has(step)) step++;
    if (step >= free || step * STEP_BYTES > mostStart(file)) return undefined;
    taken.add(step);
    starts[index] = step * STEP_BYTES;
  }
  return starts;
}

function mostStart({ isFixed, sizeBytes, leastOffset }: StartQuestion): number {
  return isFixed ? 0 : Math.max(0, Math.min(leastOffset, sizeBytes - STEP_BYTES));
}

/** Where what is copied may begin, from `position` on. */
export function copiesFrom(position: number, unitBytes: number): number {
  return Math.ceil(position / unitBytes) * unitBytes + COPIED_STEPS * STEP_BYTES;
}
