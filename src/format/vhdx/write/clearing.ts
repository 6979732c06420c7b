/**
 * Having parts of the disk read as zeros.
 *
 * @module
 */
import { Cleared, ClearOutcome, Place, type Placement } from "../../../image/writing.ts";
import { zeroRange } from "../../../storage/zero_range.ts";
import { BAT_ENTRY_BYTES, BlockState } from "../layout.ts";
import type { AllocatorParts } from "./allocator.ts";

/** What is asked for. */
export interface Clearing {
  readonly guestOffset: number;
  readonly lengthBytes: number;
  readonly to: Cleared;
}

/**
 * As {@link Tables.clear}. What is stored keeps its place, which is freed in the file.
 *
 * @param willChange says that tables are about to be changed; false if that has to wait
 * @throws {SystemError} as fallocate(2)
 */
export function clear(
  parts: AllocatorParts,
  { guestOffset, lengthBytes, to }: Clearing,
  placement: Placement,
  willChange: () => boolean,
): number {
  const { bat, shape: { blockBytes, hasParent } } = parts;
  placement.guestOffset = guestOffset;
  placement.kind = Place.Direct;
  const position = bat.find(Math.floor(guestOffset / blockBytes), placement);
  if (position < 0) return ClearOutcome.Blocked;
  if (to === Cleared.Nothing) return ClearOutcome.Unable;
  const runBytes = bat.runBytes(position, guestOffset, lengthBytes);
  const state = bat.state(position);
  const hostOffset = bat.hostOffset(position) + guestOffset % blockBytes;
  const stored = { hostOffset, runBytes, to };
  if (state === BlockState.fullyPresent) return outcome(areZeros(parts, stored), stored);
  if (!hasParent || state !== BlockState.notPresent && state !== BlockState.partiallyPresent) {
    return runBytes;
  }
  if (state === BlockState.notPresent && to === Cleared.Discarded) return runBytes;
  if (!willChange()) return ClearOutcome.Blocked;
  if (state === BlockState.partiallyPresent) {
    // In sectors that are the parent's, whatever was there once would show else.
    const isZero = areZeros(parts, stored);
    if (isZero) bat.set(position, BlockState.fullyPresent, bat.hostOffset(position));
    return outcome(isZero, stored);
  }
  const blocks = Math.ceil(runBytes / blockBytes);
  for (let n = 0; n < blocks; n++) bat.set(position + n * BAT_ENTRY_BYTES, BlockState.zero, 0);
  return runBytes;
}

interface Stored {
  readonly hostOffset: number;
  readonly runBytes: number;
  readonly to: Cleared;
}

/** What is discarded may stay as it is. */
function outcome(isZero: boolean, { runBytes, to }: Stored): number {
  return isZero || to === Cleared.Discarded ? runBytes : ClearOutcome.Unable;
}

/** Has what is stored be zeros, if that is possible. */
function areZeros({ file }: AllocatorParts, { hostOffset, runBytes, to }: Stored): boolean {
  const lengthBytes = Math.min(runBytes, file.sizeBytes - hostOffset);
  if (lengthBytes <= 0) return true;
  const range = { hostOffset, lengthBytes };
  return to !== Cleared.KeptZeros && zeroRange(file, "freed", range) ||
    to !== Cleared.Discarded && zeroRange(file, "kept", range);
}
