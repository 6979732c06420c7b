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
  if (state === BlockState.fullyPresent) return clearStored(parts, { hostOffset, runBytes, to });
  if (!hasParent || state !== BlockState.notPresent && state !== BlockState.partiallyPresent) {
    return runBytes;
  }
  if (state === BlockState.notPresent && to === Cleared.Discarded) return runBytes;
  if (!willChange()) return ClearOutcome.Blocked;
  if (state === BlockState.partiallyPresent) {
    const done = clearStored(parts, { hostOffset, runBytes, to });
    if (done === runBytes) bat.set(position, BlockState.fullyPresent, bat.hostOffset(position));
    return done;
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

function clearStored(
  { file }: AllocatorParts,
  { hostOffset, runBytes, to }: Stored,
): number {
  const lengthBytes = Math.min(runBytes, file.sizeBytes - hostOffset);
  if (lengthBytes <= 0) return runBytes;
  const range = { hostOffset, lengthBytes };
  if (to !== Cleared.KeptZeros && zeroRange(file, "freed", range)) return runBytes;
  if (to === Cleared.Discarded || zeroRange(file, "kept", range)) return runBytes;
  return ClearOutcome.Unable;
}
