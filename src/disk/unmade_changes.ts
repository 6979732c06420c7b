/**
 * Which of the changes that are recorded have to be made once more. What the tables of the image have already
 * is not: that may be durable, and would not be for a while if it were made anew; and neither is what came
 * before that.
 *
 *     recorded          1: discarded   2: data at X   3: data at Y
 *     the tables have   data at X
 *     made              3
 *
 * @module
 */
import type { Image } from "../image/driver.ts";
import { Extent, Mapping } from "../image/mapping.ts";
import { type KeptChange, KeptKind } from "./change_journal.ts";
import { type NumberRange, RangeSet } from "./range_set.ts";

/**
 * The parts of each change that are to be made, in the order of `changes`. Nothing may have been made
 * since the daemon was killed that has recorded them.
 *
 * @throws {SystemError | ImageFormatError} if a table cannot be read
 */
export function unmadeParts(image: Image, changes: readonly KeptChange[]): NumberRange[][] {
  const settled = new RangeSet();
  const parts = changes.toReversed().map((change) => {
    const { guestOffset, lengthBytes } = change;
    const end = Math.min(guestOffset + lengthBytes, image.sizeBytes);
    return settled.gaps(guestOffset, end).flatMap((gap) => unmadeIn(gap, change, image, settled));
  });
  return parts.reverse();
}

/** What the tables do not have of a part of a change; what they have is settled. */
function unmadeIn(
  gap: NumberRange,
  change: KeptChange,
  image: Image,
  settled: RangeSet,
): NumberRange[] {
  if (change.kind !== KeptKind.Data) return [gap];
  const unmade: NumberRange[] = [];
  const mapping = new Mapping();
  mapping.attempt.mayWait = true;
  for (let start = gap.start; start < gap.end;) {
    image.map(start, gap.end - start, mapping);
    if (mapping.kind === Extent.Blocked) return [...unmade, { start, end: gap.end }];
    const end = start + mapping.lengthBytes;
    if (isAt(change, start, mapping)) settled.add(start, end);
    else unmade.push({ start, end });
    start = end;
  }
  return unmade;
}

function isAt({ file, hostOffset, guestOffset }: KeptChange, start: number, at: Mapping): boolean {
  const { kind } = at;
  return (kind === Extent.Data || kind === Extent.Sealed) && at.file === file &&
    at.hostOffset === hostOffset + start - guestOffset;
}
