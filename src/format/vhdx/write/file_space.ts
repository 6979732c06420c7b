/**
 * What of the file is in use, as an image has to be for anything to be written to it.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged } from "../errors.ts";
import type { Header } from "../header.ts";
import {
  ALIGNMENT,
  BAT_ENTRY_BYTES,
  BITMAP_BLOCK_BYTES,
  BITMAP_PRESENT,
  BlockState,
  MAX_BLOCK_BYTES,
  PLACE_SHIFT,
  STATE_MASK,
} from "../layout.ts";
import type { Area, Regions } from "../regions.ts";
import type { Shape } from "../shape.ts";

const CHUNK_BYTES = 1024 * 1024;
const PLACES_IN_WORD = 2 ** (32 - PLACE_SHIFT);

/** What an image consists of. */
export interface SpaceParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly regions: Regions;
  readonly shape: Shape;
}

/** Regions may reach so far behind the end of the file, of which they need not have everything. */
const MOST_BEHIND_END = 2 ** 32 + MAX_BLOCK_BYTES;

/** How much memory {@link usedEnd} takes for a while. */
export function usedMapBytes({ sizeBytes }: ImageFile): number {
  return Math.ceil((sizeBytes + MOST_BEHIND_END) / ALIGNMENT / 8) + 1;
}

/**
 * Where in the file nothing lies any more, at a place where a block can begin.
 *
 * @throws {ImageFormatError} if two things share a place, or a block does not begin in the file
 * @throws {SystemError} if the BAT cannot be read
 */
export function usedEnd(parts: SpaceParts): number {
  const { file, header: { fields }, regions } = parts;
  const used = new Uint8Array(usedMapBytes(file));
  let end = Math.ceil(file.sizeBytes / ALIGNMENT) * ALIGNMENT;
  const log = { hostOffset: Number(fields.log_offset), lengthBytes: fields.log_length };
  const heads = { hostOffset: 0, lengthBytes: ALIGNMENT };
  for (const area of [heads, log, regions.bat, regions.metadata, ...storedAreas(parts)]) {
    if (!use(used, area)) throw damaged(file.path, "two things share a place", area.hostOffset);
    end = Math.max(end, area.hostOffset + area.lengthBytes);
  }
  return end;
}

/** Says that an area is in use; whether it was not before. */
function use(used: Uint8Array, { hostOffset, lengthBytes }: Area): boolean {
  const first = hostOffset / ALIGNMENT;
  for (let unit = first; unit < first + lengthBytes / ALIGNMENT; unit++) {
    const at = Math.floor(unit / 8);
    const bit = 1 << unit % 8;
    if (at >= used.length || ((used[at] ?? 0) & bit) !== 0) return false;
    used[at] = (used[at] ?? 0) | bit;
  }
  return true;
}

function* storedAreas({ file, shape }: SpaceParts): Generator<Area> {
  const { batOffset, entries, blocksInChunk, blockBytes, hasParent } = shape;
  const chunk = new IoBuffer(CHUNK_BYTES);
  const batBytes = entries * BAT_ENTRY_BYTES;
  for (let start = 0; start < batBytes; start += CHUNK_BYTES) {
    const countBytes = Math.min(CHUNK_BYTES, batBytes - start);
    file.read(chunk, 0, batOffset + start, countBytes);
    for (let at = 0; at < countBytes; at += BAT_ENTRY_BYTES) {
      const low = chunk.view.getUint32(at, true);
      const state = low & STATE_MASK;
      const isBits = (start + at) / BAT_ENTRY_BYTES % (blocksInChunk + 1) === blocksInChunk;
      const isStored = isBits
        ? hasParent && state === BITMAP_PRESENT
        : state === BlockState.fullyPresent || state === BlockState.partiallyPresent;
      if (!isStored) continue;
      const place = chunk.view.getUint32(at + 4, true) * PLACES_IN_WORD + (low >>> PLACE_SHIFT);
      const hostOffset = place * ALIGNMENT;
      if (hostOffset >= file.sizeBytes) {
        throw damaged(file.path, "a block is not in the file", batOffset + start + at);
      }
      yield { hostOffset, lengthBytes: isBits ? BITMAP_BLOCK_BYTES : blockBytes };
    }
  }
}
